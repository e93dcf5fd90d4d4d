import type { ChangeCommands, RolloutConfig } from "../settings/rollout-config.ts";
import type { Change } from "../state/rollout-state.ts";

export function commandsOf(config: RolloutConfig, change: Change): ChangeCommands {
  const { proxy, api, gateway } = config.stages;
  return { proxy, limiter: api.limiter, auth: api.auth, gateway }[change];
}
