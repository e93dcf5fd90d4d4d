import { TOKENS } from "../fixtures/services.ts";

export type InternalRequest = {
  path: "datasource-introspect" | "revoked-tokens" | "rate-limit/consume";
  /** The text that is sent. */
  body: string;
  bearer?: string;
};

/** Headers that differ from one answer to the next, or say nothing about it. */
const PASSED_OVER = new Set(["date"]);

/** What differs from one run to the next, by what stands in its place. */
const PLACEHOLDERS: readonly [RegExp, string][] = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z/g, "<whole second>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>"],
  [/"retryAfterMs":[1-9]\d*/g, '"retryAfterMs":<wait>'],
  [/^retry-after: [1-9]\d*$/gm, "retry-after: <wait>"],
  [/^(content-length: )\d+$/gm, "$1<length>"],
];

/**
 * Sends a request and writes down all of its answer: the status, each header and each byte of the
 * body, with placeholders for what no two runs share.
 */
export async function recordAnswer(
  url: string,
  { path, body, bearer = TOKENS.gateway }: InternalRequest,
): Promise<string> {
  const response = await fetch(`${url}/internal/gateway/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
    body,
  });
  const headers = [...response.headers]
    .filter(([name]) => !PASSED_OVER.has(name))
    .map(([name, value]) => `${name}: ${value}`);
  const answer = [response.status, ...headers, "", await response.text()].join("\n");
  return PLACEHOLDERS.reduce((text, [from, to]) => text.replaceAll(from, to), answer);
}

/** Requests whose answers do not depend on what was asked before. */
export const REQUESTS: readonly InternalRequest[] = [
  ...bodies("datasource-introspect", [
    '{"sessionToken":"noise"}',
    '{"sessionToken":"noise","datasource":7,"datasources":"x"}',
    '{"sessionToken":"noise","later":{"a":[1]}}',
    '{"sessionToken":"\\ud800"}',
    '{"sessionToken":""}',
    '{"sessionToken":null}',
    '{"sessionToken":null,"datasource":"demo"}',
    '{"session_token":"noise"}',
    '{"sessionToken":["noise"]}',
    '{"datasource":"demo"}',
    '{"datasource":"demo","intent":"publish"}',
    '{"datasource":"demo","datasource":"demo-private"}',
    '{"datasource":"demo-private"}',
    '{"datasource":"Not A Name"}',
    '{"datasource":""}',
    '{"datasource":7}',
    '{"datasource":null}',
    '{"datasources":["demo","demo-private","unknown","Not A Name","demo"]}',
    '{"datasources":["demo","demo-private","unknown"],"intent":"publish"}',
    '{"datasources":["demo"],"intent":"stream","datasource":"demo-private"}',
    '{"datasources":["unknown"]}',
    '{"datasources":["\\ud800"]}',
    '{"datasources":[]}',
    '{"datasources":["demo",7]}',
    '{"datasources":["demo",null]}',
    '{"datasources":"demo"}',
    '{"datasources":null}',
    '{"datasources":null,"datasource":"demo"}',
    '{"datasources":["demo"],"intent":"write"}',
    '{"datasources":["demo"],"intent":null}',
    '{"datasources":["demo"],"intent":7}',
    `{"datasources":[${Array.from({ length: 101 }, () => '"demo"').join()}]}`,
    "{}",
    "",
    "[]",
    "null",
    "7",
    "{",
    '"noise"',
  ]),
  ...bodies("revoked-tokens", [
    "{}",
    "",
    '{"sinceCursor":null,"limit":100}',
    '{"sinceCursor":null,"limit":1e2,"later":true}',
    '{"sinceCursor":"noise"}',
    '{"sinceCursor":""}',
    '{"sinceCursor":"00000000-0000-0000-0000-000000000000:1","limit":1}',
    '{"sinceCursor":"\\ud800"}',
    '{"sinceCursor":7}',
    '{"sinceCursor":["x"]}',
    '{"since_cursor":7,"limit":1000}',
    '{"limit":1000}',
    '{"limit":1001}',
    '{"limit":0}',
    '{"limit":-1}',
    '{"limit":1.5}',
    '{"limit":1e30}',
    '{"limit":"10"}',
    '{"limit":null}',
    '{"limit":true}',
    '{"sinceCursor":7,"limit":0}',
    "[]",
  ]),
  ...bodies("rate-limit/consume", [
    '{"policy":"realtime.connect.ip","key":"203.0.113.1"}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.2","cost":2,"doubtful":true,"later":[]}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.3","cost":60}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.3","cost":60}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":61}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":4294967295}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":4294967296}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":0}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":-1}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":1.5}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":1e30}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":"1"}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":null}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","doubtful":"no"}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","doubtful":0}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","doubtful":null}',
    '{"policy":"realtime.connect.ip","key":"203.0.113.4","cost":"1","doubtful":0}',
    '{"policy":"realtime.connect.ip","key":""}',
    '{"policy":"realtime.connect.ip","key":7}',
    '{"policy":"realtime.connect.ip","key":null}',
    '{"policy":"realtime.connect.ip","key":"not an address"}',
    '{"policy":"realtime.connect.ip","key":"\\ud800"}',
    `{"policy":"realtime.connect.ip","key":"${"x".repeat(512)}"}`,
    `{"policy":"realtime.connect.ip","key":"${"x".repeat(513)}"}`,
    '{"policy":"realtime.connect.ip"}',
    '{"policy":"realtime.connections.ip","key":"203.0.113.4"}',
    '{"policy":"realtime.unknown","key":"203.0.113.4"}',
    '{"policy":"realtime.Un known","key":"203.0.113.4"}',
    '{"policy":"realtime.","key":"203.0.113.4"}',
    '{"policy":"login.ip","key":7,"cost":"1"}',
    '{"policy":"login.ip"}',
    '{"policy":"realtime.\\ud800","key":"203.0.113.4"}',
    '{"policy":""}',
    '{"policy":7}',
    '{"policy":null}',
    "{}",
    "",
    "[]",
    "{",
  ]),
  { path: "datasource-introspect", body: "{}", bearer: "wrong" },
  { path: "revoked-tokens", body: "{", bearer: TOKENS.auth },
  { path: "rate-limit/consume", body: "", bearer: TOKENS.operator },
];

function bodies(path: InternalRequest["path"], texts: readonly string[]): InternalRequest[] {
  return texts.map((body) => ({ path, body }));
}
