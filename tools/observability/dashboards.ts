import { limiterEngine } from "./limiter-engine.ts";
import { realtime } from "./realtime.ts";
import { rollout } from "./rollout.ts";
import { securityControls } from "./security-controls.ts";

/** All dashboards, by file name. */
export const DASHBOARDS = {
  "security-controls": securityControls,
  "limiter-engine": limiterEngine,
  realtime,
  rollout,
};
