/** Whether pages of an origin may call us. */
export type AllowedOrigins = Pick<ReadonlySet<string>, "has">;

/** Scheme, host as it is, port: `https://app.example`, `capacitor://localhost`, `http://[::1]:80`. */
const ORIGIN = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<host>[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
/** `https://*.example.com`: at least two labels, since nobody owns all that is below one. */
const SUBDOMAINS = /^(?<scheme>https?):\/\/\*\.(?<base>[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d{1,5})?)$/;
/** `http://localhost:*`: what is developed on a machine has a port of its own every time. */
const ANY_PORT = /^(?<base>https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])):\*$/;
/** Pages of these have no origin, or that of the page behind them. */
const NO_SCHEMES_OF_PAGES = new Set([
  ...["ws", "wss", "ftp", "file", "data", "blob", "javascript", "about", "null"],
]);
/** As much of a header as is worth looking at. */
const ORIGIN_CHARACTERS_MAX = 512;

/** Why a text allows no origin; undefined for one that does. */
export function findOriginProblem(text: string): string | undefined {
  if (ANY_PORT.test(text)) return undefined;
  // Any subdomain will do to see how the rest is spelled.
  const example = SUBDOMAINS.test(text) ? text.replace("*", "any") : text;
  if (example.includes("*")) {
    return "where * stands only for subdomains (https://*.example.com) or a port of this machine (http://localhost:*)";
  }
  const { scheme = "" } = ORIGIN.exec(example)?.groups ?? {};
  if (scheme === "" || NO_SCHEMES_OF_PAGES.has(scheme) || !URL.canParse(example)) {
    return "which is no origin (scheme://host[:port])";
  }
  const sent = originAsSent(example);
  return sent === example ? undefined : `which browsers send as ${sent}`;
}

/** Browsers spell hosts in small letters and leave the usual port out; apps send what they have. */
function originAsSent(text: string): string {
  const { origin } = new URL(text);
  if (origin !== "null") return origin;
  const [scheme = "", ...rest] = text.split(":");
  return [scheme.toLowerCase(), ...rest].join(":");
}

/** The origins of a list, patterns included. */
export function createAllowedOrigins(texts: readonly string[]): AllowedOrigins {
  const exact = new Set(texts);
  const patterns = texts.flatMap((text) => patternOf(text) ?? []);
  return {
    has: (origin) =>
      exact.has(origin) ||
      (origin.length <= ORIGIN_CHARACTERS_MAX && patterns.some((pattern) => pattern.test(origin))),
  };
}

function patternOf(text: string): RegExp | undefined {
  const subdomains = SUBDOMAINS.exec(text)?.groups;
  if (subdomains !== undefined) {
    const { scheme = "", base = "" } = subdomains;
    return new RegExp(`^${scheme}://(?:[a-z0-9_-]+\\.)+${literal(base)}$`);
  }
  const { base } = ANY_PORT.exec(text)?.groups ?? {};
  return base === undefined ? undefined : new RegExp(`^${literal(base)}(?::\\d{1,5})?$`);
}

function literal(text: string): string {
  return text.replaceAll(/[.[\]]/g, "\\$&");
}
