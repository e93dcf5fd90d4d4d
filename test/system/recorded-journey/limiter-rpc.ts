import { TOKENS } from "../../fixtures/services.ts";
import type { Step } from "./recorder.ts";

/** A call of the limiter, by default as the operator. */
export function limiterRpc(method: string, body: unknown, step: Partial<Step> = {}): Step {
  const path = `/portcullis.limiter.v1.LimiterService/${method}`;
  return { door: "limiter", path, token: TOKENS.operator, body, ...step };
}
