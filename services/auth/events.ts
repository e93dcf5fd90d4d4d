import { metrics } from "@opentelemetry/api";

/** How an attempt to sign in ended. */
export type LoginResult = "ok" | "refused" | "limited" | "unavailable";

const LOGIN_RESULTS: readonly LoginResult[] = ["ok", "refused", "limited", "unavailable"];

export function createLoginCounter(): (result: LoginResult) => void {
  const logins = metrics.getMeter("portcullis.auth").createCounter("portcullis.auth.logins", {
    description: "Attempts to sign in",
  });
  for (const result of LOGIN_RESULTS) logins.add(0, { result });
  return (result) => logins.add(1, { result });
}
