import { metrics } from "@opentelemetry/api";
import type { Clock } from "../../services/runtime/clock.ts";
import type { Logger } from "../../services/runtime/log.ts";
import type { FailureConfig } from "./failure-config.ts";

export type FailureMode = {
  current(): "fail-closed" | "fail-open";
  /** Describes the mode in force, for the warning that a failed consume logs. */
  describe(): string;
  close(): void;
};

/** A failure mode that came into force, and the change that it belongs to. */
export type FailureModeChange = {
  surface: string;
  mode: "fail-open" | "fail-closed";
  change: string;
  /** When fail-open ends or ended; infinite in development without an end. */
  untilMs: number;
};

/** How often fail-open is logged while it lasts. */
const REMINDER_INTERVAL_MS = 60_000;

/**
 * Holds what a surface does without a decision. Fail-open ends by itself in the running process;
 * until then a gauge and a log line every minute report it.
 */
export function createFailureMode(options: {
  surface: string;
  config: FailureConfig;
  log: Logger;
  clock: Clock;
  /** Called when fail-open begins and when it ends by itself. */
  onChange?: ((change: FailureModeChange) => void) | undefined;
}): FailureMode {
  const { surface, config, log, clock, onChange } = options;
  const isOpen = () => config.mode === "fail-open" && clock.nowMs() < config.untilMs;
  const until = () =>
    config.mode === "fail-open" && Number.isFinite(config.untilMs)
      ? new Date(config.untilMs).toISOString()
      : "the process ends";
  const current = () => (isOpen() ? "fail-open" : "fail-closed");

  const meter = metrics.getMeter("portcullis.limiter.client");
  const gauge = meter.createObservableGauge("portcullis.failure_mode", {
    description: "1 for the failure mode in force, 0 for the other",
  });
  gauge.addCallback((result) => {
    for (const mode of ["fail-closed", "fail-open"]) {
      result.observe(mode === current() ? 1 : 0, { surface, mode });
    }
  });
  const ends = meter.createCounter("portcullis.failure_mode.ended", {
    description: "Fail-open periods that ended by themselves",
  });
  ends.add(0, { surface });

  const tell = () => {
    if (config.mode !== "fail-open") return;
    const { change, untilMs } = config;
    onChange?.({ surface, mode: current(), change, untilMs });
  };

  let timer: NodeJS.Timeout | undefined;
  const remind = () => {
    if (config.mode !== "fail-open") return;
    if (!isOpen()) {
      tell();
      ends.add(1, { surface });
      log.warn(
        { surface, change: config.change },
        `${surface} limits fail closed again: fail-open ended at ${until()}`,
      );
      return;
    }
    log.warn(
      { surface, change: config.change },
      `${surface} limits fail open under change ${config.change} until ${until()}`,
    );
    const leftMs = config.untilMs - clock.nowMs();
    timer = setTimeout(remind, Math.min(REMINDER_INTERVAL_MS, leftMs + 1)).unref();
  };
  if (isOpen()) tell();
  remind();

  return {
    current,
    describe: () =>
      config.mode === "fail-open" && isOpen()
        ? `failing open under change ${config.change} until ${until()}`
        : "failing closed",
    close: () => clearTimeout(timer),
  };
}
