import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import { shareKeys } from "./address-shares.ts";
import { type Authorization, type AuthorizationRequest, refused } from "./authorization.ts";
import { PUBLIC_SUBJECT } from "./grant.ts";
import type { PublicView, PublicViews } from "./public-views.ts";
import { type Refusal, refusalOf, unavailable } from "./refusal.ts";
import { byDatasource, byIp } from "./subscribe-buckets.ts";

/** Unknown, private and badly signed get the same answer, which reveals no datasource. */
export const NEEDS_TOKEN: Refusal = {
  code: "unauthenticated",
  message: "a valid token for this datasource is required",
};

type Options = { views: PublicViews; limiter: LimiterClient };

/** Decides about one client's subscribes without a token, within the public limits. */
export async function authorizePublic(
  options: Options,
  requests: readonly AuthorizationRequest[],
): Promise<readonly Authorization[]> {
  const [only] = requests;
  if (only === undefined) return [];
  const known = requests.length === 1 ? options.views.recall(only.datasource) : undefined;
  return known === undefined
    ? await authorizeAll(options, only, requests)
    : [await authorizeKnown(options, only, known)];
}

/** The common case: one decision for both limits. */
async function authorizeKnown(
  { limiter }: Options,
  { client, datasource }: AuthorizationRequest,
  known: PublicView,
): Promise<Authorization> {
  const buckets = [byIp(client), byDatasource(datasource, known.accessVersion)];
  const refusal = refusalOf(await limiter.consume(buckets));
  return refusal === undefined ? granted(datasource, known) : refused(refusal);
}

/**
 * Charges the address first, for all requests in one decision: auth is asked only within that
 * limit, and guessing names costs as much as subscribing.
 */
async function authorizeAll(
  options: Options,
  { client }: AuthorizationRequest,
  requests: readonly AuthorizationRequest[],
): Promise<readonly Authorization[]> {
  const { limiter } = options;
  const first = await limiter.consume([{ ...byIp(client), cost: requests.length }]);
  if (first.kind !== "allowed") {
    return requests.map(() => refused(refusalOf(first) ?? unavailable()));
  }
  const answers = await Promise.all(requests.map((request) => authorizeCharged(options, request)));
  // Refund what failed through no fault of the client, in the background.
  if (answers.every(isNoFault)) void limiter.refund(first.receipt);
  return answers;
}

async function authorizeCharged(
  { views, limiter }: Options,
  { client, datasource }: AuthorizationRequest,
): Promise<Authorization> {
  const view = await views.find(datasource, shareKeys(client.ip).own);
  if (view.kind === "unreachable") return refused(unavailable());
  if (view.kind === "not-public") return refused(NEEDS_TOKEN);
  const refusal = refusalOf(await limiter.consume([byDatasource(datasource, view.accessVersion)]));
  return refusal === undefined ? granted(datasource, view) : refused(refusal);
}

function isNoFault(answer: Authorization): boolean {
  return answer.kind === "refused" && "retryAfterMs" in answer.refusal;
}

function granted(datasource: string, { accessVersion, heardUntil }: PublicView): Authorization {
  const grant = { datasource, subject: PUBLIC_SUBJECT, accessVersion, heardUntil };
  return { kind: "granted", grant };
}
