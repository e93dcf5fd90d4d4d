import { limiterEngine } from "./limiter-engine.ts";
import { realtime } from "./realtime.ts";
import { rollout } from "./rollout.ts";
import { securityControls } from "./security-controls.ts";

/** Every dashboard there is, by the name of its file. */
export const DASHBOARDS = {
  "security-controls": securityControls,
  "limiter-engine": limiterEngine,
  realtime,
  rollout,
};
