import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { appendEvidence, readEvidence } from "../../tools/rollout/evidence-log.ts";
import { stateFilesIn } from "../../tools/rollout/state-files.ts";
import { createFakeDeployment } from "./rollout-fixture.ts";

test("appendEvidence() by many at once gives one chain without gaps", async () => {
  const { files, append } = await setup();
  await Promise.all(Array.from({ length: 20 }, (_, index) => append(`record ${index}`)));
  const { records, head } = await readEvidence(files);
  expect(head.count).toBe(20);
  expect(new Set(records.map(({ data }) => data)).size).toBe(20);
});

test("a last line that a crash cut off is mended; what was acknowledged is still there", async () => {
  const { files, append } = await setup();
  await append("first");
  await appendFile(files.evidence, '{"at":"2026-01-01T00:00:0');
  await append("second");
  const { records } = await readEvidence(files);
  expect(records.map(({ data }) => data)).toEqual(["first", "second"]);
});

test("a crash between a record and its head loses neither", async () => {
  const { files, append } = await setup();
  await append("first");
  const head = await readFile(files.evidenceHead, "utf8");
  await append("second");
  await writeFile(files.evidenceHead, head);
  await append("third");
  expect((await readEvidence(files)).head.count).toBe(3);
});

test("a log that somebody shortened or changed is refused, and nothing is added to it", async () => {
  const { files, append } = await setup();
  for (const data of ["first", "second", "third"]) await append(data);
  const whole = await readFile(files.evidence, "utf8");
  await writeFile(files.evidence, `${whole.split("\n").slice(0, 2).join("\n")}\n`);
  await expect(append("fourth")).rejects.toThrow("ends at record 2, but 3 were written");
  await writeFile(files.evidence, whole.replace("second", "secund"));
  await expect(append("fourth")).rejects.toThrow("record 2 was altered");
  await writeFile(files.evidence, whole.replace(',"data":"second"', ', "data":"second"'));
  await expect(readEvidence(files)).rejects.toThrow("record 2 was altered");
});

test("stage next changes nothing when its evidence is broken; rollback goes back all the same", async () => {
  const deployment = await createFakeDeployment();
  onTestFinished(deployment.remove);
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  await writeFile(join(deployment.directory, "state/evidence.jsonl"), "");
  expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 1 });
  expect(await deployment.run("evidence")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("were written"),
  });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy"]);
  const rollback = await deployment.run("rollback");
  expect(rollback.stdout).toContain("carries on");
  expect((await deployment.log()).at(-1)).toBe("rollback-proxy");
  expect(await deployment.settled()).toMatchObject({ state: { position: "baseline" } });
});

test("commands and their output reach the evidence, the environment's secrets do not", async () => {
  const deployment = await createFakeDeployment({
    environment: { DEPLOY_TOKEN: "open-sesame-42" },
    commands: { "apply-proxy": 'echo "deployed with $DEPLOY_TOKEN"; printf x%.0s $(seq 40000)' },
  });
  onTestFinished(deployment.remove);
  await deployment.run("stage", "next");
  const log = await readFile(join(deployment.directory, "state/evidence.jsonl"), "utf8");
  expect(log).toContain("deployed with [redacted]");
  expect(log).toContain("bytes left out");
  expect(log).not.toContain("open-sesame");
  expect(await readFile(join(deployment.directory, "state/journal.json"), "utf8")).not.toContain(
    "open-sesame",
  );
});

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-rollout-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const files = stateFilesIn(directory);
  const append = (data: string) => appendEvidence(files, { kind: "note", data, nowMs: Date.now() });
  return { files, append };
}
