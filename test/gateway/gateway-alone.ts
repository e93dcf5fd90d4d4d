import { onTestFinished } from "vitest";
import type { Outcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { type Child, startChild } from "../../tools/up/child.ts";
import { eventually } from "../fixtures/eventually.ts";
import { findAddresses, PATIENCE } from "../fixtures/services.ts";
import { startRecordingLimiter } from "./recording-limiter.ts";

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 12_000;

/** A gateway as it is reached by clients, and what it has written. */
export type GatewayAlone = {
  url: string;
  metricsUrl: string;
  child: Child;
  limiter: Awaited<ReturnType<typeof startRecordingLimiter>>;
  output: readonly string[];
};

/**
 * Starts a gateway without auth, in an environment of its own. Its limiter allows everything, unless
 * `limiterOutcome` says otherwise. The gateway opens at most `openFilesMax` descriptors.
 */
export async function startGatewayAlone(
  options: {
    environment?: Readonly<Record<string, string>>;
    openFilesMax?: number;
    limiterDelayMs?: number;
    limiterOutcome?: Outcome;
  } = {},
): Promise<GatewayAlone> {
  const limiter = await startRecordingLimiter({
    delayMs: options.limiterDelayMs ?? 0,
    outcome: options.limiterOutcome,
  });
  onTestFinished(limiter.stop);
  const { urls, environment, metricsUrls } = await findAddresses();
  const output: string[] = [];
  const limit = options.openFilesMax === undefined ? "" : `ulimit -n ${options.openFilesMax};`;
  const child = await startChild({
    name: "gateway",
    command: "/bin/sh",
    arguments: ["-c", `${limit} exec "${process.execPath}" dist/services/gateway/main.js`],
    environment: {
      PATH: process.env["PATH"],
      ...environment,
      NODE_ENV: "test",
      LIMITER_URL: limiter.url,
      LIMITER_TIMEOUT_MS: PATIENCE.LIMITER_TIMEOUT_MS,
      ...options.environment,
    },
    onLine: (line) => output.push(line),
  });
  onTestFinished(async () => {
    if (child.isRunning()) await child.stop(STOP_TIMEOUT_MS);
  });
  await eventually(async () => {
    const answer = await fetch(`${urls.gatewayRpc}/readyz`);
    if (!answer.ok) throw new Error(output.join("\n"));
  }, READY_TIMEOUT_MS);
  return { url: urls.gateway, metricsUrl: metricsUrls.gateway, child, limiter, output };
}
