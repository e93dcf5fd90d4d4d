import type { EnvReader } from "./env.ts";

/**
 * Reads the URL of another service: `http` or `https`, a host, and a path if a proxy serves it
 * below one. Returns one canonical spelling, without a slash at its end.
 */
export function readServiceUrl(env: EnvReader, name: string, defaultUrl: string): string {
  const text = env.url(name, ["http", "https"], defaultUrl);
  // `env.url()` has already reported a value that is no such URL.
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return defaultUrl;
  const url = new URL(text);
  if (!/^https?:\/\//i.test(text)) env.problem(name, "must have // before its host");
  if (url.username !== "" || url.password !== "") {
    env.problem(name, "holds a user or a password; services show their own tokens");
  }
  if (url.search !== "" || url.hash !== "" || /[?#]$/.test(text)) {
    env.problem(name, "must end with its path, without ? or #");
  }
  if (url.port === "0") env.problem(name, "names port 0, at which nothing can listen");
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
