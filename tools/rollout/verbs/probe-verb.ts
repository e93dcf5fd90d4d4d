import { REALTIME_IDLE_SECONDS } from "../../edge/edge-policy.ts";
import { deploymentFrom } from "../judge/options-from-config.ts";
import { runProbe } from "../judge/run-probe.ts";
import { createJudgeVerb, readNumber } from "./judge-verb.ts";

/** An hour of silence is longer than any proxy allows. */
const IDLE_SECONDS = { min: 0, max: 3_600 };

export const probe = createJudgeVerb({
  name: "probe",
  summary: "attack the live deployment: spoofed addresses, closed routes, silent websockets",
  description: `Sends every known spelling of a spoofed address on every public route through the edge, plain and
as websocket upgrade, and asks the services whom they took each request for. Knocks at everything
that is not public, at the edge and directly; leaves a websocket silent; has the gateway call what
it relies on. Costs nobody a limit except one connect of your own.`,
  optionsHelp: `  --idle SECONDS  how long the websocket is silent (${REALTIME_IDLE_SECONDS})\n`,
  options: { idle: { type: "string" } },
  judge: async (input, values, { progress: onProgress }) => {
    const idleSeconds = readNumber(values, "idle", IDLE_SECONDS) ?? REALTIME_IDLE_SECONDS;
    return await runProbe({ ...deploymentFrom(input), idleSeconds, onProgress });
  },
});
