import { installHint, isInstalled, type RunnableProxy } from "../../tools/edge/start-proxy.ts";

/**
 * Whether tests with this proxy can run. On a developer's machine they are skipped with a line that
 * says what to install; in CI a missing proxy is a failure, since nothing else would notice.
 */
export function canRun(proxy: RunnableProxy): boolean {
  if (isInstalled(proxy)) return true;
  if (process.env["CI"] === "true") throw new Error(installHint(proxy));
  process.stderr.write(`skipped: ${installHint(proxy)}\n`);
  return false;
}
