/** The origins whose pages may call us. */
export type AllowedOrigins = Pick<ReadonlySet<string>, "has">;

/** Scheme, host, port: `https://app.example`, `capacitor://localhost`, `http://[::1]:80`. */
const ORIGIN = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<host>[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
/** `https://*.example.com`: at least two labels, since nobody owns a whole top-level domain. */
const SUBDOMAINS = /^(?<scheme>https?):\/\/\*\.(?<base>[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d{1,5})?)$/;
/** `http://localhost:*`: development servers choose their own ports. */
const ANY_PORT = /^(?<base>https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])):\*$/;
/** Schemes whose pages send no origin of their own. */
const NO_SCHEMES_OF_PAGES = new Set([
  ...["ws", "wss", "ftp", "file", "data", "blob", "javascript", "about", "null"],
]);
/** Longer origins are not compared with patterns. */
const ORIGIN_CHARACTERS_MAX = 512;

/** Returns what is wrong with a configured origin or pattern; undefined if it is valid. */
export function findOriginProblem(text: string): string | undefined {
  if (ANY_PORT.test(text)) return undefined;
  // Checks the rest of the spelling with an example subdomain.
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

/** Browsers send hosts in lower case and omit the default port; apps send hosts as they are. */
function originAsSent(text: string): string {
  const { origin } = new URL(text);
  if (origin !== "null") return origin;
  const [scheme = "", ...rest] = text.split(":");
  return [scheme.toLowerCase(), ...rest].join(":");
}

/** Allows the listed origins and those that match a listed pattern. */
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
