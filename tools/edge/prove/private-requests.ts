import { INTERNAL_PATHS } from "../lint/lint-policy.ts";
import { FOREIGN_PATHS } from "../lint/our-upstreams.ts";
import type { HeaderLine } from "../spoof.ts";
import type { ClientInputs } from "./client-inputs.ts";

/** A request for something that no browser needs. */
export type PrivateRequest = {
  method: "GET" | "POST";
  target: string;
  headers: readonly HeaderLine[];
};

/** The paths that are asked for in every spelling: one of each service that has something to lose. */
const SPELLED = [
  "/internal/gateway/revoked-tokens",
  "/portcullis.limiter.v1.LimiterService/Consume",
  "/metrics",
];

/** More samples and ends than these make a proof longer, and say nothing new. */
const SAMPLES_MAX = 40;
const ENDS_MAX = 14;

/** What is put behind a prefix that an edge may take away or replace. */
const ENDS = [
  "",
  "x",
  "internal/gateway/revoked-tokens",
  "gateway/revoked-tokens",
  "revoked-tokens",
  "metrics",
];

/** An encoded line break, and a header that only it can bring. */
export const INJECTED_HEADER = "X-Portcullis-Injected";
const INJECTION = `%0d%0a${INJECTED_HEADER}:%201`;

/** A password is not enough for what is private: staged files know this one. */
export const KNOWN_USER = "portcullis";
export const KNOWN_PASSWORD = "prove";
const CREDENTIALS = Buffer.from(`${KNOWN_USER}:${KNOWN_PASSWORD}`).toString("base64");
const AUTHORIZATION: HeaderLine = ["Authorization", `Basic ${CREDENTIALS}`];

/** Every request that must not reach a service, in the spellings that edges have let through. */
export function privateRequests(
  samples: readonly string[],
  inputs: ClientInputs,
  hostName: string,
): readonly PrivateRequest[] {
  const known = [...new Set(samples)].filter((path) => path.startsWith("/")).slice(0, SAMPLES_MAX);
  const inputLines = inputs.headers.map((name): HeaderLine => [name, "1"]);
  const post = (target: string, headers: readonly HeaderLine[] = []): PrivateRequest => {
    return { method: "POST", target, headers };
  };
  const get = (target: string): PrivateRequest => ({ method: "GET", target, headers: [] });
  return [
    ...INTERNAL_PATHS.map((path) => post(path)),
    ...FOREIGN_PATHS.map(get),
    ...SPELLED.flatMap((path) => [
      get(path),
      ...spellingsOf(path, hostName).map((target) => post(target)),
      ...known.map((sample) => post(`${path}?${sample}`)),
      post(path, [AUTHORIZATION]),
      // What a file reads of a request may be what opens a door.
      ...(inputLines.length > 0 ? [post(path, inputLines)] : []),
    ]),
    ...known.flatMap((sample) => endsOf(sample, known).flatMap((end) => [post(end)])),
    ...known.flatMap((sample) => [get(sample), get(`${sample}${INJECTION}`)]),
    // A header whose value becomes the path.
    ...known.slice(0, ENDS_MAX).flatMap((sample) => {
      return inputs.headers.map((name) =>
        post(sample, [[name, "internal/gateway/revoked-tokens"]]),
      );
    }),
  ];
}

function endsOf(sample: string, all: readonly string[]): string[] {
  const isFolder = sample.endsWith("/");
  const others = isFolder ? all.map((one) => one.replace(/^\//, "")).slice(0, ENDS_MAX) : [];
  const behind = isFolder ? "" : "/";
  return [
    sample,
    ...[...ENDS, ...others].filter((end) => end !== "").map((end) => `${sample}${behind}${end}`),
    `${sample}x`,
  ];
}

function spellingsOf(path: string, hostName: string): string[] {
  const bare = path.slice(1);
  const code = bare.charCodeAt(0).toString(16);
  return [
    `/${path}`,
    `/.${path}`,
    `/%${code}${bare.slice(1)}`,
    path.toUpperCase(),
    `${path}/`,
    `/x/..${path}`,
    `/gateway/realtime/../..${path}`,
    `/gateway/realtime%2f..%2f..${path}`,
    `/.well-known/..${path}`,
    `/portcullis.auth.v1.AuthService/..${path}`,
    `/portcullis.auth.v1.AuthService/..%2f..%2f${bare.replaceAll("/", "%2f")}`,
    `http://${hostName}${path}`,
    `${path}?x=/gateway/realtime`,
    `/gateway/realtime;/..${path}`,
    `/\\..${path}`,
  ];
}
