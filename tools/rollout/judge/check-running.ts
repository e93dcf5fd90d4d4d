import type { Environment } from "../../../services/runtime/env.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Change } from "../state/rollout-state.ts";
import type { Check } from "../terms/verdict.ts";
import { findPlannedPolicies } from "./check-policies.ts";
import type { ServiceFacts } from "./gather-facts.ts";

/**
 * Compares what each service runs with to its environment file. A difference is expected before the
 * service's stage; afterwards it means that somebody changed one of the two by hand.
 */
export async function checkRunning(
  facts: readonly ServiceFacts[],
  options: { directory: string; applied: readonly Change[] },
): Promise<Check[]> {
  const checks = facts.map(async (service): Promise<Check[]> => {
    const { name, file, running } = service;
    if (file === undefined) return [];
    const subject = {
      id: `running.${name}`,
      title: `What ${name} runs with, compared with its file`,
      why: "a file that is not what runs surprises at the next restart",
    };
    if (running === undefined) {
      return [doubtful(subject, "it does not answer", "let the service answer")];
    }
    const differences = await findDifferences(service, file, options.directory);
    if (differences.length === 0) return [passed(subject, "as its file says")];
    const observed = differences.join(", ");
    const mend = `restart ${name} with its file, or correct the file`;
    // Fail-open at runtime but not in the file was never planned.
    const isOpened = running.failureMode === "fail-open" && service.plannedMode !== "fail-open";
    if (isOpened || options.applied.includes(name)) return [failed(subject, observed, mend)];
    return [passed(subject, `to be changed by its stage: ${observed}`)];
  });
  return (await Promise.all(checks)).flat();
}

async function findDifferences(
  { running, hops, plannedMode }: ServiceFacts,
  file: Environment,
  directory: string,
): Promise<string[]> {
  if (running === undefined) return [];
  const { settings } = running;
  const differ = (name: string, here: unknown, there: unknown) =>
    here === undefined || there === undefined || here === there
      ? []
      : [`${name} ${here} instead of ${there}`];
  return [
    ...differ("hops", running.hops, hops),
    ...differ("failure mode", running.failureMode, plannedMode),
    ...differ("backend", settings?.backend, file["DB_BACKEND"]?.trim() || "postgres"),
    ...differ(
      "policies",
      settings?.policiesHash,
      settings && (await findPlannedPolicies(file, directory)),
    ),
  ];
}
