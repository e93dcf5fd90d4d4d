import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type CommandOptions, runCommand } from "../../tools/rollout/state/run-command.ts";

test("runCommand() answers that a command could not be started, and why", async () => {
  const { directory, run } = await setup();
  expect(await run({ directory: join(directory, "gone") })).toMatchObject({
    exitCode: null,
    stoppedBy: "not started",
    output: expect.stringContaining("ENOENT"),
  });
});

test("runCommand() finds another place for the output when its file has no room", async () => {
  const { directory, run } = await setup();
  for (const outputFile of ["/dev/full", join(directory, "gone/output.txt")]) {
    expect(await run({ outputFile }), outputFile).toMatchObject({
      exitCode: 0,
      output: "well done\n",
    });
  }
});

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-rollout-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const run = async (change: Partial<CommandOptions>) =>
    await runCommand({
      // Fails if its output cannot be written.
      command: "echo well done",
      directory,
      environment: { PATH: process.env["PATH"] },
      timeoutMs: 10_000,
      outputFile: join(directory, "output.txt"),
      onProcess: async () => undefined,
      signal: new AbortController().signal,
      ...change,
    });
  return { directory, run };
}
