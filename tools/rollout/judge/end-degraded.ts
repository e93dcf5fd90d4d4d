import type { OpenableService } from "../settings/rollout-schema.ts";
import { isOpen } from "../state/identity-snapshot.ts";
import { redactChecks } from "../state/redact-for.ts";
import type { Check } from "../terms/verdict.ts";
import { snapshot, type VerifyContext } from "./verify-position.ts";

/**
 * Ends every degraded mode with the operator's command. Returns a check for each service that was
 * open; later checks verify that it is closed.
 */
export async function endDegradedModes(context: VerifyContext): Promise<Check[]> {
  const services = await snapshot(context);
  const open = services.filter(isOpen).map(({ service }) => service);
  const checks: Check[] = [];
  for (const service of ["auth", "gateway"] as const) {
    if (open.includes(service)) checks.push(await endOne(context, service));
  }
  return redactChecks(checks, context.session.redact);
}

async function endOne(
  { session, config, signal }: VerifyContext,
  service: OpenableService,
): Promise<Check> {
  const subject = {
    id: `degraded.${service}`,
    title: `The degraded mode of ${service}`,
    why: "The defaults are closed; what was open before is no state to go back to.",
  };
  const command = config.endDegraded[service];
  if (command === undefined) {
    const mend = `Set ${service} to fail-closed, or name the command for it: endDegraded.${service}.`;
    return { ...subject, verdict: "fail", observed: "open, and no command ends it", mend };
  }
  session.report(`ends the degraded mode of ${service}`);
  const { exitCode, stoppedBy, output } = await session.run({
    purpose: `end of the degraded mode of ${service}`,
    command,
    timeoutMs: config.commandSeconds * 1_000,
    signal,
  });
  if (exitCode === 0) return { ...subject, verdict: "pass", observed: "ended", mend: "" };
  session.report(output.trimEnd());
  const observed = `the command failed (${stoppedBy ?? `exit ${exitCode}`})`;
  return { ...subject, verdict: "fail", observed, mend: "Mend the command, and run this again." };
}
