import { preflightFrom } from "../judge/options-from-config.ts";
import { runPreflight } from "../judge/run-preflight.ts";
import { createJudgeVerb } from "./judge-verb.ts";

export const preflight = createJudgeVerb({
  name: "preflight",
  summary: "compare how everything is configured, before anything is changed",
  description: `Compares the environment files or the live identity endpoints of all services with each other and
with the edge: hops, limiter backend, failure modes, secrets, migrations, clocks, the headers that
the edge really writes, and who may go past it. An environment file says what will run, so hops
that are raised before the edge writes the header are found before they are deployed.`,
  judge: async (input) => await runPreflight(await preflightFrom(input)),
});
