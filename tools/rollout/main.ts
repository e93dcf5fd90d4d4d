#!/usr/bin/env node
import { readColumns } from "./terminal/read-columns.ts";
import { align } from "./verbs/align-verb.ts";
import { begin } from "./verbs/begin-verb.ts";
import { canary } from "./verbs/canary-verb.ts";
import { evidence } from "./verbs/evidence-verb.ts";
import { judges } from "./verbs/judges.ts";
import { preflight } from "./verbs/preflight-verb.ts";
import { probe } from "./verbs/probe-verb.ts";
import { recordVerb } from "./verbs/record-verb.ts";
import { createRestoreDefaultsVerb, createRollbackVerb } from "./verbs/rollback-verb.ts";
import { runRollout } from "./verbs/run-rollout.ts";
import { createStageVerb } from "./verbs/stage-verb.ts";
import { watch } from "./verbs/watch-verb.ts";

const interrupt = new AbortController();
// The first Ctrl-C ends what is under way in order; the second one ends this program, and the timer
// does the rest.
process.once("SIGINT", () => interrupt.abort());
process.once("SIGTERM", () => interrupt.abort());

// Whoever reads no longer, or a disk that is full of what was said, must not end a change half-way.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const verbs = [
  ...[preflight, probe, align, canary, watch].map(recordVerb),
  begin,
  createStageVerb(judges),
  createRollbackVerb(judges),
  createRestoreDefaultsVerb(judges),
  evidence,
];

process.exitCode = await runRollout(verbs, {
  arguments: process.argv.slice(2),
  environment: process.env,
  columns: readColumns(process.env["COLUMNS"], process.stdout),
  isTerminal: process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  signal: interrupt.signal,
});
