import * as z from "zod";
import { decodeJson } from "../../../services/runtime/documents/decode-json.ts";
import { readIfThere, writeDurably } from "../files/durable-file.ts";
import { type ProcessIdentity, processIdentitySchema } from "../files/process-identity.ts";
import { instantMsSchema, instantTextSchema } from "../terms/instant.ts";
import { type Check, checkSchema, type Verdict, verdictSchema } from "../terms/verdict.ts";
import { type EdgeFile, edgeFileSchema } from "./edge-files.ts";
import { type GoodWindow, goodWindowSchema } from "./good-window.ts";
import { type ServiceSnapshot, serviceSnapshotSchema } from "./identity-snapshot.ts";
import {
  BASELINE,
  CHANGES,
  type Change,
  POSITIONS,
  type Position,
  type RolloutState,
  rolloutStateSchema,
  STAGES,
  type Stage,
} from "./rollout-state.ts";

/** A timer that rolls back by itself, unless it is disarmed in time. */
export type ArmedTimer = { token: string; deadlineAtMs: number };

/** The checks of the last look at a stage, or after a rollback. */
export type LastChecks = {
  at: string;
  /** For example `stage api` or `rollback to baseline`. */
  of: string;
  verdict: Verdict;
  checks: readonly Check[];
};

/** Everything that must survive a crash; one file, replaced as a whole before each step. */
export type Journal = {
  format: typeof JOURNAL_FORMAT;
  state: RolloutState;
  /** The digests of what took each change back when it was made; never the commands themselves. */
  rollbackCommands: Partial<Record<Change, string>>;
  timer: ArmedTimer | null;
  /** The command that runs, or ran when its parent died. */
  running: ProcessIdentity | null;
  /** What the services were like at each position that was reached. */
  snapshots: Partial<Record<Position, readonly ServiceSnapshot[]>>;
  /** What the edge's files held then. */
  edgeFiles?: Partial<Record<Position, readonly EdgeFile[]>> | undefined;
  lastChecks: Partial<Record<Stage | "rollback", LastChecks>>;
  /** When the rollout left the baseline. Measurements before it are the ones to compare with. */
  leftBaselineAt: string | null;
  /** When something was last changed, taken back or kept. */
  changedAt?: string | null | undefined;
  /** The time to compare this rollout with. */
  baselineWindow?: GoodWindow | null | undefined;
  /** The time that was last judged good. */
  lastGoodWindow?: GoodWindow | null | undefined;
  /** The rollout that `begin` named; null or missing where nobody did. */
  rollout?: RolloutName | null | undefined;
};

/** The rollout that is under way, and who began it. */
export type RolloutName = {
  release: string | null;
  /** The reference of whoever allowed it. */
  change: string | null;
  who: string;
  begunAt: string;
};

const rolloutNameSchema: z.ZodType<RolloutName> = z.object({
  release: z.string().nullable(),
  change: z.string().nullable(),
  who: z.string(),
  begunAt: instantTextSchema,
});

const JOURNAL_FORMAT = "portcullis-rollout-journal/1";

export const EMPTY_JOURNAL: Journal = {
  format: JOURNAL_FORMAT,
  state: BASELINE,
  rollbackCommands: {},
  timer: null,
  running: null,
  snapshots: {},
  lastChecks: {},
  leftBaselineAt: null,
};

const lastChecksSchema: z.ZodType<LastChecks> = z.object({
  at: instantTextSchema,
  of: z.string(),
  verdict: verdictSchema,
  checks: z.array(checkSchema),
});

const journalSchema: z.ZodType<Journal> = z.object({
  format: z.literal(JOURNAL_FORMAT),
  state: rolloutStateSchema,
  rollbackCommands: z.partialRecord(z.enum(CHANGES), z.string()),
  timer: z.object({ token: z.string(), deadlineAtMs: instantMsSchema }).nullable(),
  running: processIdentitySchema.nullable(),
  snapshots: z.partialRecord(z.enum(POSITIONS), z.array(serviceSnapshotSchema)),
  lastChecks: z.partialRecord(z.enum([...STAGES, "rollback"]), lastChecksSchema),
  leftBaselineAt: instantTextSchema.nullable(),
  // Journals of earlier releases have none of these.
  edgeFiles: z.partialRecord(z.enum(POSITIONS), z.array(edgeFileSchema)).optional(),
  changedAt: instantTextSchema.nullish(),
  baselineWindow: goodWindowSchema.nullish(),
  lastGoodWindow: goodWindowSchema.nullish(),
  rollout: rolloutNameSchema.nullish(),
});

/**
 * Reads the journal; without one, nothing was ever changed. One that cannot be read is an error and
 * never the baseline.
 */
export async function readJournal(file: string): Promise<Journal> {
  return (await findJournal(file)) ?? EMPTY_JOURNAL;
}

/** Reads the journal; answers undefined without one. */
export async function findJournal(file: string): Promise<Journal | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const journal = decodeJson(text, journalSchema);
  if (journal !== undefined) return journal;
  throw new Error(
    `${file} is no journal of this program, or was damaged; see "A journal that cannot be read" in RUNBOOK.md`,
  );
}

export async function writeJournal(file: string, journal: Journal): Promise<void> {
  await writeDurably(file, `${JSON.stringify(journal, undefined, 2)}\n`);
}
