import type { RolloutServiceName } from "../settings/rollout-config.ts";
import {
  isOpen,
  releaseText,
  type Said,
  type ServiceSnapshot,
} from "../state/identity-snapshot.ts";
import type { Change } from "../state/rollout-state.ts";
import type { Check } from "../terms/verdict.ts";

/** Requirements on every running service, whatever the stage changed. */
export type Demands = {
  /** The services that this rollout may open. */
  failOpen: readonly RolloutServiceName[];
  /** The limiter backend that each service must use. */
  backends: Readonly<Record<RolloutServiceName, string>>;
  /** The release that the changed services must report. */
  release: ExpectedRelease;
};

/** The release that a rollout brings; an undefined field accepts any value. */
export type ExpectedRelease = { version?: string | undefined; revision?: string | undefined };

const CLOSED_WHY =
  "Without a decision an open service lets everything through that its own memory allows.";
const BACKEND_WHY =
  "Limits that another backend keeps are not shared, or are forgotten at a restart.";
const RELEASE_WHY =
  "A change that did not take effect, or came from another build, proves nothing.";

/** Judges the reported failure mode and backend of every service that answered. */
export function judgeRunning(
  services: readonly ServiceSnapshot[],
  demands: Pick<Demands, "failOpen" | "backends">,
): Check[] {
  return services
    .filter(({ said }) => said !== undefined)
    .flatMap((snapshot) => [
      judgeFailureMode(snapshot, demands.failOpen),
      ...judgeBackend(snapshot, demands.backends[snapshot.service]),
    ]);
}

/** Whether a service fails closed, unless this rollout may open it. */
export function judgeFailureMode(
  snapshot: ServiceSnapshot,
  failOpen: readonly RolloutServiceName[],
): Check {
  const { service, said } = snapshot;
  const isMeant = failOpen.includes(service);
  const isWrong = isOpen(snapshot) && !isMeant;
  return {
    id: `identity.failure-mode.${service}`,
    title: `What ${service} does without a decision`,
    verdict: isWrong ? "fail" : "pass",
    observed: `${said?.failureMode ?? "unknown"}${isMeant ? ", and this rollout may open it" : ""}`,
    why: CLOSED_WHY,
    mend: isWrong
      ? `End the degraded mode of ${service}, or name it in failOpen if this rollout is for it.`
      : "",
  };
}

/** No check for an earlier release, which does not report its backend. The limiter always does. */
function judgeBackend({ service, said }: ServiceSnapshot, required: string): Check[] {
  if (said?.backend === undefined) return [];
  const isRight = said.backend === required;
  const observed = isRight ? said.backend : `${said.backend} instead of ${required}`;
  return [
    {
      id: `identity.backend.${service}`,
      title: `Where ${service} has its limits`,
      verdict: isRight ? "pass" : "fail",
      observed,
      why: BACKEND_WHY,
      mend: isRight ? "" : "Set SECURITY_LIMITER_BACKEND as DB_BACKEND, everywhere alike.",
    },
  ];
}

/** Judges the release of each service that a stage changed. */
export function judgeReleases(options: {
  changes: readonly Change[];
  release: ExpectedRelease;
  before: readonly ServiceSnapshot[] | undefined;
  after: readonly ServiceSnapshot[];
}): Check[] {
  const { changes, release, before } = options;
  return options.after
    .filter(({ service, said }) => said !== undefined && changes.includes(service))
    .map((snapshot): Check => {
      const { service, said } = snapshot;
      const then = releaseText(before?.find((other) => other.service === service)?.said);
      const now = releaseText(said);
      const isMeant = isExpected(release, said);
      const way =
        then === now ? `${now ?? "not said"}` : `${now ?? "not said"}, after ${then ?? "not said"}`;
      const common = {
        id: `identity.release.${service}`,
        title: `Release of ${service}`,
        why: RELEASE_WHY,
      };
      if (isMeant) return { ...common, verdict: "pass", observed: way, mend: "" };
      const verdict = now === undefined ? "inconclusive" : "fail";
      const observed = `${way}, but this rollout is of ${expectedText(release)}`;
      return {
        ...common,
        verdict,
        observed,
        mend: `See what the command that applies ${service} started.`,
      };
    });
}

function isExpected({ version, revision }: ExpectedRelease, said: Said | undefined): boolean {
  if (version !== undefined && said?.version !== version) return false;
  if (revision === undefined) return true;
  const running = said?.revision ?? "";
  // Either side may abbreviate the commit.
  return running !== "" && (running.startsWith(revision) || revision.startsWith(running));
}

function expectedText({ version = "any version", revision = "any revision" }: ExpectedRelease) {
  return `${version} (${revision})`;
}
