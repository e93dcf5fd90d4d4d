import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { judgeEdgeFiles, readEdgeFiles } from "./edge-files.ts";

test("judgeEdgeFiles() finds a file that holds something else, or is gone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-edge-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [kept, later] = [join(directory, "nginx.conf"), join(directory, "later.conf")];
  const judge = async () =>
    judgeEdgeFiles("edge.untouched", before, await readEdgeFiles([kept, later]), "before");

  writeFileSync(kept, "events {}");
  const before = await readEdgeFiles([kept, later]);
  // What was not there then has no say.
  writeFileSync(later, "events {}");
  expect(await judge()).toMatchObject({ verdict: "pass", observed: "1 unchanged" });
  writeFileSync(kept, "events { }");
  expect(await judge()).toMatchObject({ verdict: "fail", observed: `changed: ${kept}` });
  rmSync(kept);
  expect(await judge()).toMatchObject({ verdict: "fail" });
});
