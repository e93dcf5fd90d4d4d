import { context, propagation } from "@opentelemetry/api";
import type { BoundedWarning } from "../../runtime/bounded-warning.ts";
import type { Secret } from "../../runtime/secret.ts";
import {
  type Introspection,
  type RevocationPage,
  readIntrospection,
  readIntrospections,
  readRevocationPage,
} from "./auth-answers.ts";
import type { Asker, AuthCrowds } from "./auth-crowds.ts";
import { type Introspect, writeIntrospect, writePageRequest } from "./auth-questions.ts";

/** Auth gave no usable answer. This is never a refusal. */
export type Unreachable = { kind: "unreachable" };

/** What the gateway asks auth. Never throws: every failure is `unreachable`. */
export type AuthClient = {
  /** Whether a datasource token counts now. */
  introspectToken(token: string, asker: Asker): Promise<Introspection | Unreachable>;
  /** Whether a datasource is public now. */
  introspectDatasource(datasource: string, asker: Asker): Promise<Introspection | Unreachable>;
  /** Which of the datasources are public now (stream) or exist (publish), in their order. */
  introspectDatasources(
    datasources: readonly string[],
    intent: "stream" | "publish",
    asker: Asker,
  ): Promise<readonly Introspection[] | Unreachable>;
  /** The revocations after a cursor; null starts at the oldest that auth knows. */
  listRevocations(sinceCursor: string | null): Promise<RevocationPage | Unreachable>;
};

/** A client that also waits for the limiter has its answer within a second. */
export const AUTH_TIMEOUT_MS = 800;
/** The most datasources that auth takes in one question. */
export const DATASOURCES_MAX = 100;
/** Fits into one small answer; the feed asks again until there are no more. */
export const REVOCATIONS_PAGE = 100;

const UNREACHABLE: Unreachable = { kind: "unreachable" };

export function createAuthClient(options: {
  url: string;
  token: Secret;
  warn: BoundedWarning;
  crowds: AuthCrowds;
}): AuthClient {
  const { warn, crowds } = options;
  const url = options.url.replace(/\/+$/, "");

  const post = async (path: string, body: string): Promise<string> => {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      authorization: `Bearer ${options.token.reveal()}`,
    };
    propagation.inject(context.active(), headers);
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers,
      body,
      redirect: "error",
      signal: AbortSignal.timeout(AUTH_TIMEOUT_MS),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`auth answered ${response.status} to ${path}`);
    return text;
  };

  const ask = async <T>(
    path: string,
    body: string,
    read: (answer: string) => T | undefined,
  ): Promise<T | Unreachable> => {
    try {
      const answer = read(await post(path, body));
      if (answer !== undefined) return answer;
      warn("auth answer", "auth gave an answer that could not be read", { path });
    } catch (error) {
      warn("auth", "auth could not be asked", { err: error, path });
    }
    return UNREACHABLE;
  };

  const introspect = async <T>(
    question: Introspect,
    asker: Asker,
    read: (answer: string) => T | undefined,
  ) => {
    const path = "/internal/gateway/datasource-introspect";
    const body = writeIntrospect(question);
    return (await crowds(asker, () => ask(path, body, read))) ?? UNREACHABLE;
  };

  return {
    introspectToken: (sessionToken, asker) =>
      introspect({ sessionToken }, asker, readIntrospection),
    introspectDatasource: (datasource, asker) =>
      introspect({ datasource }, asker, readIntrospection),
    introspectDatasources: (names, intent, asker) =>
      introspect({ datasources: [...names], intent }, asker, (answer) =>
        readIntrospections(answer, names.length),
      ),
    // One page at a time, outside the crowds: clients that keep auth busy do not delay the feed.
    listRevocations: (sinceCursor) => {
      const body = writePageRequest(sinceCursor, REVOCATIONS_PAGE);
      return ask("/internal/gateway/revoked-tokens", body, readRevocationPage);
    },
  };
}
