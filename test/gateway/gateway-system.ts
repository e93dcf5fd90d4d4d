import { expect } from "vitest";
import { DEMO_ACCOUNT, type ServiceUrls, startSystem, TOKENS } from "../fixtures/services.ts";

/** The whole system behind one trusted proxy, so that a test can be any client. */
export async function startGatewaySystem(environment: Readonly<Record<string, string>> = {}) {
  return await startSystem({
    environment: {
      API_TRUST_PROXY_HOPS: "1",
      REALTIME_TRUST_PROXY_HOPS: "1",
      ...environment,
    },
  });
}

let addresses = 0;

/** An address that no other client of this run has. */
export function freshAddress(): string {
  addresses += 1;
  return `203.0.${addresses >> 8}.${addresses & 255}`;
}

/** Calls an RPC as a web page or a shell would: plain JSON. */
export async function post(
  url: string,
  body: object,
  options: { bearer?: string; address?: string } = {},
): Promise<{ status: number; body: Readonly<Record<string, string>> }> {
  const { bearer, address = freshAddress() } = options;
  const authorization = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": address, ...authorization },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  return { status: response.status, body: answer as Record<string, string> };
}

/** Signs in with the demo account and answers its access token. */
export async function signIn({ auth }: ServiceUrls): Promise<string> {
  const { body } = await post(`${auth}/portcullis.auth.v1.AuthService/Login`, DEMO_ACCOUNT);
  return body["accessToken"] ?? "";
}

/** Mints a datasource token; anonymously without an access token. */
export async function mint(
  { auth }: ServiceUrls,
  datasource: string,
  bearer?: string,
): Promise<string> {
  const url = `${auth}/portcullis.auth.v1.DatasourceService/MintToken`;
  const { status, body } = await post(url, { datasource }, bearer === undefined ? {} : { bearer });
  expect(status, JSON.stringify(body)).toBe(200);
  return body["token"] ?? "";
}

export async function revoke({ auth }: ServiceUrls, token: string, bearer: string) {
  const url = `${auth}/portcullis.auth.v1.DatasourceService/RevokeToken`;
  expect(await post(url, { token }, { bearer })).toMatchObject({ status: 200 });
}

/** Makes a datasource, or changes it. */
export async function putDatasource(
  { auth }: ServiceUrls,
  datasource: string,
  change: { visibility: "VISIBILITY_PUBLIC" | "VISIBILITY_PRIVATE"; revokeTokens?: boolean },
) {
  const url = `${auth}/portcullis.auth.v1.DatasourceService/Put`;
  const answer = await post(url, { datasource, ...change }, { bearer: TOKENS.operator });
  expect(answer).toMatchObject({ status: 200 });
}

/** Publishes as our own services do, and answers the position. */
export async function publish({ gateway }: ServiceUrls, datasource: string, json: unknown) {
  const url = `${gateway}/portcullis.realtime.v1.PublishService/Publish`;
  const answer = await post(url, { datasource, json }, { bearer: TOKENS.publisher });
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 });
  return answer.body;
}

/** The value of one series of a scrape; NaN when it is not there. */
export async function readMetric(metricsUrl: string, series: string): Promise<number> {
  const text = await (await fetch(metricsUrl)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? Number.NaN);
}
