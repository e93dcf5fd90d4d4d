import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { appendEvidence, readEvidence } from "../../tools/rollout/evidence/evidence-log.ts";
import { stateFilesIn } from "../../tools/rollout/files/state-files.ts";
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

test("one byte of the log that is no UTF-8 any more is noticed, next to one that never was", async () => {
  const { files, append } = await setup();
  // U+FFFD, as in command output that was cut in the middle of a character.
  await append("cut off: \ufffd");
  await append("second");
  const bytes = await readFile(files.evidence);
  bytes[bytes.indexOf("\ufffd")] = 0xf0;
  await writeFile(files.evidence, bytes);
  await expect(readEvidence(files)).rejects.toThrow("record 1 was altered");
});

test.each<[string, (log: string) => string]>([
  ["an empty line", (log) => log.replace("\n", "\n\n")],
  ["a line that is no record", (log) => log.replace("\n", "\nnull\n")],
])("%s in the log is noticed", async (_what, change) => {
  const { files, append } = await setup();
  for (const data of ["first", "second"]) await append(data);
  await writeFile(files.evidence, change(await readFile(files.evidence, "utf8")));
  await expect(readEvidence(files)).rejects.toThrow("record 2 was altered");
});

test.each<[string, (file: string) => Promise<void>]>([
  ["is gone", (file) => rm(file)],
  ["names no record", (file) => writeFile(file, "{}")],
  ["is null", (file) => writeFile(file, "null")],
  ["counts what is none", (file) => writeFile(file, '{"count":1.5,"hash":"00"}')],
  ["counts from before the beginning", (file) => writeFile(file, '{"count":-1,"hash":"00"}')],
  ["is of before", (file) => writeFile(file, `{"count":0,"hash":"${"0".repeat(64)}"}`)],
])("a shortened log is refused when its head %s", async (_what, damage) => {
  const { files, append } = await setup();
  for (const data of ["first", "second", "third"]) await append(data);
  const whole = await readFile(files.evidence, "utf8");
  await writeFile(files.evidence, `${whole.split("\n").slice(0, 2).join("\n")}\n`);
  await damage(files.evidenceHead);
  await expect(readEvidence(files)).rejects.toThrow(/head/);
  await expect(append("fourth")).rejects.toThrow(/head/);
});

test("a crash before the first head was written loses nothing", async () => {
  const { files, append } = await setup();
  await append("first");
  await rm(files.evidenceHead);
  expect((await readEvidence(files)).head.count).toBe(1);
  await append("second");
  expect((await readEvidence(files)).head.count).toBe(2);
});

test("evidence verify --head takes a hash in either case", async () => {
  const deployment = await createFakeDeployment();
  onTestFinished(deployment.remove);
  await deployment.run("stage", "next");
  const out = join(deployment.directory, "report");
  const { head } = JSON.parse((await deployment.run("evidence", "--out", out, "--json")).stdout);
  const verify = (hash: string) =>
    deployment.run("evidence", "verify", `${out}.json`, "--head", hash);
  expect(await verify(head)).toMatchObject({ exitCode: 0 });
  expect(await verify(head.toUpperCase())).toMatchObject({ exitCode: 0 });
  expect(await verify("0".repeat(64))).toMatchObject({ exitCode: 1 });
});

test("evidence verify notices one byte next to output that was no UTF-8", async () => {
  const deployment = await createFakeDeployment({
    commands: { "apply-proxy": "printf 'caf\\351\\n'" },
  });
  onTestFinished(deployment.remove);
  await deployment.run("stage", "next");
  const out = join(deployment.directory, "report");
  await deployment.run("evidence", "--out", out);
  for (const file of [`${out}.json`, `${out}.html`]) {
    expect(await deployment.run("evidence", "verify", file)).toMatchObject({ exitCode: 0 });
    const bytes = await readFile(file);
    bytes[bytes.indexOf("\ufffd")] = 0xf0;
    await writeFile(file, bytes);
    expect(await deployment.run("evidence", "verify", file)).toMatchObject({ exitCode: 1 });
  }
});

test("evidence without anything in it says so, also as JSON", async () => {
  const deployment = await createFakeDeployment();
  onTestFinished(deployment.remove);
  const none = await deployment.run("evidence", "--json");
  expect(none).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("no evidence yet") });
  expect(JSON.parse(none.stdout)).toMatchObject({ verdict: "inconclusive", count: 0 });
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

test("a stage's environment reaches neither evidence, journal, logs nor pages, in any disguise", async () => {
  const secrets = {
    DB_PASS: "sl/ash+y&pass",
    DSN: "postgres://app:in/the-dsn@db.example/auth",
    AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
    ALERTS: "https://chat.example/in/T0123456789AB/XyZ0123456789",
    PIN: "493817",
  };
  const says = [
    'echo "$DB_PASS $DSN $AWS_ACCESS_KEY_ID $ALERTS $PIN"',
    'printf %s "user:$DB_PASS" | base64',
    'printf "x%.0s" $(seq 8180); printf %s "$AWS_ACCESS_KEY_ID"; printf "y%.0s" $(seq 40000)',
    "node -e 'console.log(JSON.stringify(process.env), encodeURIComponent(process.env.DSN))'",
    "exit 3",
  ].join("; ");
  const deployment = await createFakeDeployment({
    environment: secrets,
    commands: { "verify-proxy": says, "rollback-proxy": `${says.replace("exit 3", "false")}` },
  });
  onTestFinished(deployment.remove);
  const next = await deployment.run("stage", "next");
  const rollback = await deployment.run("rollback");
  await deployment.run("evidence", "--out", join(deployment.directory, "report"));
  const files = ["state/evidence.jsonl", "state/journal.json", "state/timer.log", "report.html"];
  const texts = await Promise.all(
    files.map((file) => readFile(join(deployment.directory, file), "utf8")),
  );
  const printed = [next.stdout, next.stderr, rollback.stdout, rollback.stderr];
  for (const text of [...texts, ...printed]) {
    expect(text).not.toMatch(/sl(\/|%2F)ash|in(\/|%2F)the-dsn|AKIA|XyZ01|493817/);
    expect(text).not.toContain(Buffer.from("user:sl/ash+y&pass").toString("base64"));
  }
  expect(texts[0]).toContain("[redacted]");
  expect(await deployment.log()).toContain("apply-proxy");
});
