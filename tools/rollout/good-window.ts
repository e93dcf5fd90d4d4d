import { isInstantText, mapOf, mapWith, wholeFrom } from "./form.ts";
import { ROLLOUT_SERVICES, type RolloutServiceName } from "./rollout-config.ts";

/** How many proxies each service trusts, as far as that is known. */
export type HopsByService = Partial<Record<RolloutServiceName, number>>;

/** A time in which all was well, and the hops with which it was measured. */
export type GoodWindow = { from: string; to: string; hops: HopsByService };

export const isGoodWindow = mapWith<GoodWindow>({
  from: isInstantText,
  to: isInstantText,
  hops: mapOf(ROLLOUT_SERVICES, wholeFrom(0)),
});

/** The moments before a short canary, in which services were restarted, are no baseline. */
const WINDOW_MS_MIN = 60_000;

/**
 * The time to compare with: the one that ends now, if nothing was changed in it. Else it may hold
 * the harm of what was just taken back, and the last time that was good serves.
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
  const fromMs = nowMs - Math.max(options.durationMs, WINDOW_MS_MIN);
  const fresh = { from: new Date(fromMs).toISOString(), to: new Date(nowMs).toISOString(), hops };
  const changedMs = options.changedAt ? Date.parse(options.changedAt) : Number.NEGATIVE_INFINITY;
  if (changedMs <= fromMs) return fresh;
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
