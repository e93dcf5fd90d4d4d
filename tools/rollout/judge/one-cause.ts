import { askIdentity, type IdentityAnswer } from "../../edge/probe/ask-identity.ts";
import { doubtful, passed } from "../../edge/probe/check.ts";
import { type Deployment, doorUrl, type ServiceName } from "../../edge/probe/deployment.ts";
import { ROLLOUT_SERVICES } from "../settings/rollout-config.ts";
import { ANSWER_CHECK } from "../terms/cause-groups.ts";
import type { Check } from "../terms/verdict.ts";

/** Checks that are in doubt for their own reasons: files, settings, time, Prometheus. */
const INDEPENDENT = /^(edge\.config|canary\.account|canary\.duration|gate\.|config\.|services\.)/;

/** Whether each service says how it is configured. */
export function checkAnswers(
  answers: readonly { name: ServiceName; identity: IdentityAnswer }[],
  deployment: Pick<Deployment, "services">,
): Check {
  const subject = {
    id: ANSWER_CHECK,
    title: "Services that tell the operator about themselves",
    why: "what does not answer cannot be compared with what it should be",
  };
  const silent = answers.flatMap(({ name, identity }) => {
    return identity.kind === "unknown" ? [{ name, problem: identity.problem }] : [];
  });
  if (silent.length === 0) return passed(subject, answers.map(({ name }) => name).join(", "));
  const isTokenMissing = silent.every(({ problem }) => problem === NO_TOKEN);
  if (isTokenMissing) {
    const mend = "set the environment variable that operatorTokenEnv names";
    return doubtful(subject, "no operator token is set, so none was asked", mend);
  }
  const texts = silent.map(({ name, problem }) => {
    const door = name === "gateway" ? "gatewayRpc" : name;
    return `${name} at ${doorUrl(deployment, door)}: ${problem}`;
  });
  const mend = "start the service, correct its address, or set the operator's token";
  return doubtful(subject, texts.join("; "), mend);
}

const NO_TOKEN = "no operator token is set";

/**
 * Reports one cause once: if a service does not answer, or there is no operator token, every check
 * that is in doubt for this reason refers to the one check of the cause.
 */
export async function withOneCause(
  deployment: Deployment,
  checks: readonly Check[],
): Promise<Check[]> {
  const isDependent = ({ id, verdict }: Check) =>
    verdict === "inconclusive" && !INDEPENDENT.test(id);
  if (!checks.some(isDependent)) return [...checks];
  const known = checks.find(({ id }) => id === ANSWER_CHECK);
  const cause = known ?? checkAnswers(await askAll(deployment), deployment);
  if (cause.verdict === "pass") return [...checks];
  const rest = checks.map((check) => {
    return isDependent(check) ? { ...check, because: ANSWER_CHECK } : check;
  });
  return known === undefined ? [cause, ...rest] : rest;
}

async function askAll(deployment: Deployment) {
  return await Promise.all(
    ROLLOUT_SERVICES.map(async (name) => ({ name, identity: await askIdentity(deployment, name) })),
  );
}
