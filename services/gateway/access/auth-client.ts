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

/** Auth answered nothing that could be used. Never to be taken for a refusal. */
export type Unreachable = { kind: "unreachable" };

/** What the gateway asks auth. Never throws: every failure is `unreachable`. */
export type AuthClient = {
  /** Whether a datasource token counts now. */
  introspectToken(token: string, asker: Asker): Promise<Introspection | Unreachable>;
  /** Whether a datasource is public now. */
  introspectDatasource(datasource: string, asker: Asker): Promise<Introspection | Unreachable>;
  /** Which of some datasources are public now, or exist, in their order. */
  introspectDatasources(
    datasources: readonly string[],
    intent: "stream" | "publish",
    asker: Asker,
  ): Promise<readonly Introspection[] | Unreachable>;
  /** The revocations after a cursor; from the oldest known when it is null. */
  listRevocations(sinceCursor: string | null): Promise<RevocationPage | Unreachable>;
};

/** Leaves a client that also waited for the limiter with its answer inside a second. */
export const AUTH_TIMEOUT_MS = 800;
/** As many datasources as auth is asked about at once. */
export const DATASOURCES_MAX = 100;
/** As many as fit into one small answer; the feed asks again until there are none. */
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

  const post = async (path: string, body: object): Promise<unknown> => {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      authorization: `Bearer ${options.token.reveal()}`,
    };
    propagation.inject(context.active(), headers);
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(AUTH_TIMEOUT_MS),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`auth answered ${response.status} to ${path}`);
    return JSON.parse(text);
  };

  const ask = async <T>(
    path: string,
    body: object,
    read: (answer: unknown) => T | undefined,
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
    body: object,
    asker: Asker,
    read: (answer: unknown) => T | undefined,
  ) => {
    const path = "/internal/gateway/datasource-introspect";
    return (await crowds(asker, () => ask(path, body, read))) ?? UNREACHABLE;
  };

  return {
    introspectToken: (sessionToken, asker) =>
      introspect({ sessionToken }, asker, readIntrospection),
    introspectDatasource: (datasource, asker) =>
      introspect({ datasource }, asker, readIntrospection),
    introspectDatasources: (datasources, intent, asker) =>
      introspect({ datasources, intent }, asker, (answer) =>
        readIntrospections(answer, datasources.length),
      ),
    // Asked once at a time, and however many clients keep auth busy.
    listRevocations: (sinceCursor) => {
      const body = { sinceCursor, limit: REVOCATIONS_PAGE };
      return ask("/internal/gateway/revoked-tokens", body, readRevocationPage);
    },
  };
}
