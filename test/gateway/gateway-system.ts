import { expect } from "vitest";
import { call } from "../fixtures/call.ts";
import * as publishing from "../fixtures/publish.ts";
import { scrape } from "../fixtures/scrape.ts";
import { PATIENCE, type ServiceUrls, startSystem, TOKENS } from "../fixtures/services.ts";
import * as signingIn from "../fixtures/sign-in.ts";

/** The whole system behind one trusted proxy, so that a test can be any client. */
export async function startGatewaySystem(environment: Readonly<Record<string, string>> = {}) {
  return await startSystem({
    environment: {
      API_TRUST_PROXY_HOPS: "1",
      REALTIME_TRUST_PROXY_HOPS: "1",
      ...PATIENCE,
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

/** The demo account's access token. */
export async function signIn(urls: ServiceUrls): Promise<string> {
  return await signingIn.signIn(urls, { "x-forwarded-for": freshAddress() });
}

/** A datasource token; an anonymous one without an access token. */
export async function mint(urls: ServiceUrls, datasource: string, accessToken?: string) {
  const headers = { "x-forwarded-for": freshAddress() };
  return await signingIn.mintToken(urls, datasource, accessToken, headers);
}

export async function revoke({ auth }: ServiceUrls, token: string, accessToken: string) {
  const url = `${auth}/portcullis.auth.v1.DatasourceService/RevokeToken`;
  expect(await call(url, { token }, { token: accessToken })).toMatchObject({ status: 200 });
}

/** Makes a datasource, or changes it. */
export async function putDatasource(
  { authAdmin }: ServiceUrls,
  datasource: string,
  change: { visibility: "VISIBILITY_PUBLIC" | "VISIBILITY_PRIVATE"; revokeTokens?: boolean },
) {
  const url = `${authAdmin}/portcullis.auth.v1.DatasourceService/Put`;
  const answer = await call(url, { datasource, ...change }, { token: TOKENS.operator });
  expect(answer).toMatchObject({ status: 200 });
}

/** Publishes an update and answers its position. */
export async function publish(urls: ServiceUrls, datasource: string, json: unknown) {
  const { status, body } = await publishing.publish(urls, datasource, json);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

/** The sum of a metric over the series with these labels; NaN when there is none. */
export async function readMetric(
  metricsUrl: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  return (await scrape(metricsUrl)).sum(name, labels) ?? Number.NaN;
}
