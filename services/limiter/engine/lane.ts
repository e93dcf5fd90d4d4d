import { GROUP_LANE } from "../store/store.ts";
import type { Bucket } from "./bucket.ts";
import { Guesses } from "./guesses.ts";
import { NoDecisionError } from "./no-decision.ts";
import type { Operation } from "./operation.ts";

/** A larger flush takes longer without becoming much cheaper for each request. */
const FLUSH_OPERATIONS_MAX = 2_000;
/** Rows are what a flush takes its time for, and groups have up to 16 each. */
const FLUSH_ROWS_MAX = 6_000;

/** Operations that are flushed one group after the other. */
export type Lane = {
  index: number;
  waiting: Operation[];
  current: readonly Operation[];
  isRunning: boolean;
  readonly guesses: Guesses;
  /** Until then it passes over rows that others hold, since some are not given back soon. */
  hurriesUntilMs: number;
};

/** How many of the operations, from the first on, make one flush. */
export function countThatFit(operations: readonly Operation[]): number {
  const most = Math.min(operations.length, FLUSH_OPERATIONS_MAX);
  let rows = 0;
  for (let count = 0; count < most; count++) {
    rows += operations[count]?.buckets.length ?? 0;
    if (rows > FLUSH_ROWS_MAX) return Math.max(1, count);
  }
  return most;
}

/** The lane that all buckets are in, or else that of groups. */
export function laneOfAll(buckets: readonly Bucket[]): number {
  const lane = buckets[0]?.lane ?? 0;
  for (let index = 1; index < buckets.length; index++) {
    if (buckets[index]?.lane !== lane) return GROUP_LANE;
  }
  return lane;
}

export function newLane(index: number): Lane {
  const idle = { waiting: [], current: [], isRunning: false };
  return { index, ...idle, guesses: new Guesses(), hurriesUntilMs: 0 };
}

/** Takes the operations that need no other rows than the first one does. */
export function takeLikeFirst(lane: Lane): Operation[] {
  const ids = new Set(lane.waiting[0]?.buckets.map(({ id }) => id));
  const isLike = ({ buckets }: Operation) => buckets.every(({ id }) => ids.has(id));
  const taken = lane.waiting.filter(isLike);
  lane.waiting = lane.waiting.filter((operation) => !isLike(operation));
  return taken;
}

/** Most come last; not one that was under way before those that came while it asked for something. */
export function insertByDeadline(waiting: Operation[], operation: Operation): void {
  let index = waiting.length;
  while ((waiting[index - 1]?.deadlineMs ?? 0) > operation.deadlineMs) index--;
  if (index === waiting.length) waiting.push(operation);
  else waiting.splice(index, 0, operation);
}

/** Operations wait in the order of their deadlines, but for those put back. */
export function endOverdue(operations: readonly Operation[], nowMs: number): void {
  for (const operation of operations) {
    if (operation.deadlineMs > nowMs) return;
    if (!operation.isSettled) operation.fail(new NoDecisionError("timeout"));
  }
}
