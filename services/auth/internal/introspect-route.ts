import type { MessageShape } from "@bufbuild/protobuf";
import {
  IntrospectionListSchema,
  IntrospectionSchema,
  IntrospectRequestSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Database } from "../store/database.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { type InternalCall, instanceOf } from "./internal-route.ts";
import {
  type Intent,
  introspectDatasource,
  introspectDatasources,
  introspectToken,
} from "./introspect.ts";
import { answerWith, badField, type JsonAnswer } from "./json-answer.ts";
import { type ReadRequest, readRequest } from "./read-request.ts";

/** Datasources that may be asked about at once: more than a session may hold. */
export const DATASOURCES_MAX = 100;

export type IntrospectOptions = { db: Database; signer: TokenSigner; clock: Clock };

type Request = ReadRequest<MessageShape<typeof IntrospectRequestSchema>>;

/** Charges the caller for so many questions; an answer is a refusal. */
type Spend = (cost: number) => Promise<JsonAnswer | undefined>;

/** Answers about a token, about several datasources, or about one: the first that is given. */
export async function answerIntrospection(
  options: IntrospectOptions,
  call: InternalCall,
  spend: Spend,
): Promise<JsonAnswer> {
  const request = readRequest(IntrospectRequestSchema, call.body);
  const instance = instanceOf(call);
  const { given } = request;
  if (given.has("sessionToken")) return await answerToken(options, instance, request, spend);
  if (given.has("datasources")) return await answerList(options, instance, request, spend);
  if (given.has("datasource")) return await answerDatasource(options, instance, request, spend);
  return BAD_TOKEN;
}

const BAD_TOKEN = badField("sessionToken", "must be a token");

async function answerToken(
  options: IntrospectOptions,
  instance: string,
  { message: { sessionToken = "" } }: Request,
  spend: Spend,
): Promise<JsonAnswer> {
  if (sessionToken === "") return BAD_TOKEN;
  const refusal = await spend(1);
  if (refusal !== undefined) return refusal;
  const introspection = await introspectToken(options, instance, sessionToken);
  return answerWith(IntrospectionSchema, introspection);
}

async function answerList(
  { db }: IntrospectOptions,
  instance: string,
  { message, malformed }: Request,
  spend: Spend,
): Promise<JsonAnswer> {
  const { datasources, intent = "stream" } = message;
  // A malformed list is empty here.
  if (datasources.length === 0 || datasources.length > DATASOURCES_MAX) {
    return badField("datasources", `must hold 1 to ${DATASOURCES_MAX} texts`);
  }
  if (malformed.has("intent") || !isIntent(intent)) {
    return badField("intent", "must be stream or publish");
  }
  const refusal = await spend(datasources.length);
  if (refusal !== undefined) return refusal;
  const results = await introspectDatasources(db, instance, datasources, intent);
  return answerWith(IntrospectionListSchema, { results });
}

async function answerDatasource(
  { db }: IntrospectOptions,
  instance: string,
  { message: { datasource } }: Request,
  spend: Spend,
): Promise<JsonAnswer> {
  if (datasource === undefined) return badField("datasource", "must be a text");
  const refusal = await spend(1);
  if (refusal !== undefined) return refusal;
  return answerWith(IntrospectionSchema, await introspectDatasource(db, instance, datasource));
}

function isIntent(text: string): text is Intent {
  return text === "stream" || text === "publish";
}
