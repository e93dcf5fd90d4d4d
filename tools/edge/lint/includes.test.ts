import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createIncludeReader } from "./includes.ts";

test("createIncludeReader() expands every part of a pattern, in the order of the names", () => {
  const { read, path } = setup("sites/b/x.conf", "sites/a/x.conf", "sites/a/y.conf", "sites/c/z");
  expect(read("sites/*/x.conf")).toEqual({
    files: [
      { file: path("sites/a/x.conf"), text: "sites/a/x.conf" },
      { file: path("sites/b/x.conf"), text: "sites/b/x.conf" },
    ],
    unread: [],
  });
  expect(read("sites/[!bc]/?.conf").files.map(({ file }) => file)).toEqual([
    path("sites/a/x.conf"),
    path("sites/a/y.conf"),
  ]);
});

test("createIncludeReader() leaves hidden files to patterns that name the dot", () => {
  const { read, path } = setup("conf.d/.x.conf.swp", "conf.d/x.conf");
  expect(read("conf.d/*").files.map(({ file }) => file)).toEqual([path("conf.d/x.conf")]);
  expect(read("conf.d/.*").files.map(({ file }) => file)).toEqual([path("conf.d/.x.conf.swp")]);
});

test("createIncludeReader() takes a pattern that matches nothing for nothing, as nginx does", () => {
  const { read } = setup("conf.d/readme", "sites/a/readme", "sites/readme");
  expect(read("conf.d/*.conf")).toEqual({ files: [], unread: [] });
  expect(read("sites/*/x.conf")).toEqual({ files: [], unread: [] });
});

test("createIncludeReader() says what it could not read, and reads the rest", () => {
  const { read, path } = setup("conf.d/b.conf", "conf.d/a.conf/not-a-file");
  expect(read("absent.conf")).toEqual({ files: [], unread: [path("absent.conf")] });
  expect(read("absent/*.conf")).toEqual({ files: [], unread: [path("absent")] });
  expect(read("conf.d/*.conf")).toEqual({
    files: [{ file: path("conf.d/b.conf"), text: "conf.d/b.conf" }],
    unread: [path("conf.d/a.conf")],
  });
});

/** Files that hold their own names, beside an nginx.conf. */
function setup(...names: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), "edge-includes-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  for (const name of names) {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), name);
  }
  return { read: createIncludeReader(path("nginx.conf")), path };
}
