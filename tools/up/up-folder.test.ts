import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { claimFolder } from "./folder-claim.ts";
import { makeUpFolder } from "./up-folder.ts";

const STRANGER = 65_534;
const isRoot = process.geteuid?.() === 0;

test("makeUpFolder() makes a folder, and takes one of ours", async () => {
  const folder = join(setup(), "a/b");
  await makeUpFolder(folder);
  await expect(makeUpFolder(folder)).resolves.toBeUndefined();
});

test("makeUpFolder() refuses a folder that everybody can write to", async () => {
  const folder = join(setup(), "shared");
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  await expect(makeUpFolder(folder)).rejects.toThrow(/mode 0777.*chmod go-w/);
});

test.runIf(isRoot)("makeUpFolder() refuses a folder and a link of another user", async () => {
  const parent = setup();
  const folder = join(parent, "theirs");
  mkdirSync(folder);
  chownSync(folder, STRANGER, STRANGER);
  await expect(makeUpFolder(folder)).rejects.toThrow(/owner 65534.*chown 0/);
});

test("claimFolder() follows no link that lies in the place of its file", async () => {
  const parent = setup();
  const victim = join(parent, "victim");
  writeFileSync(victim, "the victim's\n");
  mkdirSync(join(parent, "folder"));
  symlinkSync(victim, join(parent, "folder/up.pid"));
  await expect(claimFolder(join(parent, "folder"), "x")).rejects.toThrow(/up\.pid is a link/);
});

function setup(): string {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-folder-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}
