import { rm } from "node:fs/promises";
import type { Clock } from "../../../services/runtime/clock.ts";
import type { Environment } from "../../../services/runtime/env.ts";
import type { ChainHead } from "../evidence/evidence-chain.ts";
import { appendEvidence } from "../evidence/evidence-log.ts";
import { toJson } from "../evidence/json.ts";
import { type Redact, redactJson } from "../evidence/redact.ts";
import { makeStateDirectory } from "../files/durable-file.ts";
import { takeSessionLock } from "../files/session-lock.ts";
import type { StateFiles } from "../files/state-files.ts";
import { findJournal, type Journal, readJournal, writeJournal } from "./journal.ts";
import { createRedactFor, redactReasons } from "./redact-for.ts";
import type { RolloutPlan } from "./rollout-plan.ts";
import type { Transition } from "./rollout-state.ts";
import { type CommandResult, runCommand } from "./run-command.ts";

/** Thrown when a step is not allowed from where the rollout stands. */
export class RefusedError extends Error {
  override name = "RefusedError";
}

/** The sole right to change the deployment, with the memory of what was done. */
export type Session = {
  journal(): Journal;
  /** What is run; from the operator's file, never from the journal. */
  plan: RolloutPlan;
  /** Writes down what is about to be true, before it is. */
  write(change: Partial<Journal>): Promise<void>;
  /** Takes an allowed step and writes it down, with what belongs to it; throws when refused. */
  step(transition: Transition, change?: Partial<Journal>): Promise<void>;
  /** Adds to the evidence. */
  record(kind: string, data: unknown): Promise<void>;
  /** Runs one of the operator's commands, and keeps what it did as evidence. */
  run(request: CommandRequest): Promise<CommandResult>;
  /** What could not be written down, with the reason; only where one carries on without it. */
  unrecorded(): ReadonlyMap<string, string>;
  /** Tells people how it goes. */
  report(line: string): void;
  /** Takes secrets out of what is shown. */
  redact: Redact;
  nowMs(): number;
  close(): Promise<void>;
};

export type CommandRequest = {
  /** For example `apply of limiter`. */
  purpose: string;
  command: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** What the command reads from its standard input. */
  input?: string;
};

export type SessionOptions = {
  files: StateFiles;
  purpose: string;
  /** How long to wait for somebody else who is at work. */
  waitMs: number;
  /**
   * What to do when nothing can be written down, for example on a full disk: a change must not be
   * made then, but taking one back is more important than its record.
   */
  withoutRecord: "stop" | "carry-on";
  /** The journal when it could last be read, for whoever must go on when it no longer can. */
  lastKnown?: Journal;
  environment: Environment;
  plan: RolloutPlan;
  clock: Clock;
  report(line: string): void;
};

/** Takes the lock; throws a LockedError when somebody else keeps it. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { files, clock, report, environment, plan } = options;
  await makeStateDirectory(files.directory);
  const lock = await takeSessionLock(files.lock, {
    ...options,
    withoutLock: options.withoutRecord,
  });
  try {
    let journal = await openJournal(options);
    const redact = await createRedactFor(environment, plan.envFiles);
    const who = redact(plan.who);
    const unrecorded = new Map<string, string>();
    const persist = async (what: "the journal" | "evidence", write: () => Promise<unknown>) => {
      await lock.ensureAlone();
      try {
        await write();
        // A journal is written as a whole, so nothing is missing in it any more.
        if (what === "the journal") unrecorded.delete(what);
      } catch (error) {
        if (options.withoutRecord === "stop") throw withPlace(error, what, files);
        unrecorded.set(what, String(error));
        report(`could not write ${what}, and carries on: ${String(error)}`);
      }
    };
    const record = async (kind: string, data: unknown) => {
      const clean = redactJson(toJson(data), redact);
      await persist("evidence", () => {
        return appendEvidence(files, { kind, data: clean, who, nowMs: clock.nowMs() });
      });
    };
    const write = async (change: Partial<Journal>) => {
      journal = { ...journal, ...change };
      const clean = redactReasons(journal, redact);
      await persist("the journal", () => writeJournal(files.journal, clean));
    };
    const step = async (transition: Transition, change: Partial<Journal> = {}) => {
      if (transition.kind === "refused") throw new RefusedError(transition.reason);
      await write({ ...change, state: transition.state });
    };
    const run = async ({ purpose, command, timeoutMs, signal, input }: CommandRequest) => {
      await record("command-begun", { purpose, command });
      const result = await runCommand({
        command,
        directory: plan.directory,
        environment,
        timeoutMs,
        signal,
        input,
        outputFile: files.output,
        redact,
        onProcess: (running) => write({ running }),
      });
      await write({ running: null });
      // What cannot be removed is overwritten by the next command.
      await rm(files.output, { force: true }).catch(() => undefined);
      await record("command-ended", { purpose, ...result });
      return result;
    };
    return {
      journal: () => journal,
      plan,
      write,
      step,
      record,
      run,
      unrecorded: () => unrecorded,
      report: (line) => report(redact(line)),
      redact,
      nowMs: clock.nowMs,
      close: lock.release,
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openJournal({ files, lastKnown, report }: SessionOptions): Promise<Journal> {
  if (lastKnown === undefined) return await readJournal(files.journal);
  const journal = await findJournal(files.journal).catch((error: unknown) => report(String(error)));
  if (journal === undefined) report("the journal is gone or damaged: goes on from what it said");
  return journal ?? lastKnown;
}

/** What the system says of a full disk names neither the file nor what to do. */
function withPlace(error: unknown, what: string, { directory }: StateFiles): unknown {
  const isOfSystem = error instanceof Error && "code" in error;
  if (!isOfSystem) return error;
  const place = `${what} cannot be written in ${directory}: ${error.message}`;
  return new Error(`${place}; see "A full disk" in RUNBOOK.md`, { cause: error });
}

/** Adds one record without changing anything, so without waiting for whoever does. */
export async function recordAside(
  files: StateFiles,
  options: { redact: Redact; clock: Clock; who: string },
  content: { kind: string; data: unknown },
): Promise<ChainHead> {
  await makeStateDirectory(files.directory);
  const data = redactJson(toJson(content.data), options.redact);
  const { redact, clock } = options;
  const who = redact(options.who);
  return await appendEvidence(files, { kind: content.kind, data, who, nowMs: clock.nowMs() });
}
