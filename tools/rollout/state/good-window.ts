import * as z from "zod";
import { ROLLOUT_SERVICES, type RolloutServiceName } from "../settings/rollout-config.ts";
import { instantTextSchema } from "../terms/instant.ts";

/** How many proxies each service trusts, as far as that is known. */
export type HopsByService = Partial<Record<RolloutServiceName, number>>;

/** A time in which all was well, and the hops with which it was measured. */
export type GoodWindow = { from: string; to: string; hops: HopsByService };

export const goodWindowSchema: z.ZodType<GoodWindow> = z.object({
  from: instantTextSchema,
  to: instantTextSchema,
  hops: z.partialRecord(z.enum(ROLLOUT_SERVICES), z.int().min(0)),
});

/** A minute is what the gauges of addresses look back. */
const WINDOW_MS_MIN = 60_000;

/**
 * Chooses the time to compare with. It ends now and begins after the last change, since the time
 * before may hold the harm of a change that was just taken back. If that is too short, the last
 * window that was judged good is used.
 */
export function chooseWindow(options: {
  nowMs: number;
  durationMs: number;
  /** What the services trust now. */
  hops: HopsByService;
  changedAt: string | null | undefined;
  /** The last first. */
  known: readonly (GoodWindow | null | undefined)[];
}): GoodWindow {
  const { nowMs, hops } = options;
  const changedMs = options.changedAt ? Date.parse(options.changedAt) : Number.NEGATIVE_INFINITY;
  const fromMs = Math.max(nowMs - Math.max(options.durationMs, WINDOW_MS_MIN), changedMs);
  const fresh = { from: new Date(fromMs).toISOString(), to: new Date(nowMs).toISOString(), hops };
  if (nowMs - fromMs >= options.durationMs) return fresh;
  return options.known.find((window) => window != null) ?? fresh;
}

/** The window as what the gates measure. */
export function windowToBaseline({ from, to }: GoodWindow): {
  endsAt: Date;
  windowSeconds: number;
} {
  const seconds = Math.ceil((Date.parse(to) - Date.parse(from)) / 1_000);
  return { endsAt: new Date(to), windowSeconds: Math.max(1, seconds) };
}
