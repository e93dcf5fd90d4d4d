#!/usr/bin/env node
import { begin } from "./begin-verb.ts";
import { evidence } from "./evidence-verb.ts";
import { align } from "./judge/align-verb.ts";
import { canary } from "./judge/canary-verb.ts";
import { preflight } from "./judge/preflight-verb.ts";
import { probe } from "./judge/probe-verb.ts";
import { watch } from "./judge/watch-verb.ts";
import { judges } from "./judges.ts";
import { readColumns } from "./read-columns.ts";
import { recordVerb } from "./record-verb.ts";
import { createRestoreDefaultsVerb, createRollbackVerb } from "./rollback-verb.ts";
import { runRollout } from "./run-rollout.ts";
import { createStageVerb } from "./stage-verb.ts";

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
