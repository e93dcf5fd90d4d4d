import { callHttp } from "../../edge/probe/call-http.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import { type Deployment, doorUrl } from "../../edge/probe/deployment.ts";
import { ROLLOUT_SERVICES } from "../settings/rollout-config.ts";
import type { Check } from "../terms/verdict.ts";

const SUBJECT = {
  id: "clock.skew",
  title: "Clocks of the services",
  why: "tokens end by the clock of whoever verifies them",
};

/** The offset of a service's clock from ours, as precise as a Date header allows. */
export type ClockReading = { name: string; skewMs: number | undefined };

/** A Date header holds whole seconds, and servers renew it once a second. */
const RESOLUTION_MS = 1_000;
/** Skew that shortens the lifetime of a token without anybody noticing. */
const SKEW_MS_MAX = 2_000;

export async function checkClocks(deployment: Deployment): Promise<Check> {
  const readings = await Promise.all(
    ROLLOUT_SERVICES.map(async (name): Promise<ClockReading> => {
      const sentMs = Date.now();
      // The gateway's public port sends no Date.
      const url = doorUrl(deployment, name === "gateway" ? "gatewayRpc" : name);
      const { signal } = deployment;
      const answer = await callHttp({ url: new URL("/healthz", url), signal });
      const receivedMs = Date.now();
      const date = answer.kind === "answer" ? answer.headers.date : undefined;
      const theirsMs = Date.parse(date ?? "") + RESOLUTION_MS / 2;
      const skewMs = theirsMs - (sentMs + receivedMs) / 2;
      return { name, skewMs: Number.isFinite(skewMs) ? skewMs : undefined };
    }),
  );
  return judgeClocks(readings);
}

/** Compares the services with each other only: this machine's own clock may be wrong. */
export function judgeClocks(readings: readonly ClockReading[]): Check {
  const known = readings.flatMap(({ skewMs }) => (skewMs === undefined ? [] : [skewMs]));
  const observed = readings
    .map(({ name, skewMs }) => `${name} ${skewMs === undefined ? "unknown" : seconds(skewMs)}`)
    .join(", ");
  const spreadMs = Math.max(...known) - Math.min(...known);
  if (known.length > 1 && spreadMs > SKEW_MS_MAX + RESOLUTION_MS) {
    return failed(SUBJECT, observed, "synchronise the clocks (chrony, systemd-timesyncd)");
  }
  if (known.length < readings.length) {
    return doubtful(SUBJECT, observed, "let every service answer /healthz");
  }
  return passed(SUBJECT, `${observed} from here`);
}

function seconds(ms: number): string {
  return `${ms < 0 ? "" : "+"}${(ms / 1_000).toFixed(1)} s`;
}
