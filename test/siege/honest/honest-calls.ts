import { TOKENS } from "../../fixtures/services.ts";
import type { Doors } from "../doors.ts";
import { type HttpAnswer, type HttpCaller, type HttpRequest, problemOf } from "../http-call.ts";
import type { HonestUser } from "./honest-users.ts";

const AUTH = "portcullis.auth.v1.AuthService";
const DATASOURCES = "portcullis.auth.v1.DatasourceService";
const MESSAGE_LENGTH = 100;

/** A call that an honest client did not expect to fail. */
export class Refused extends Error {}

/** The calls of honest clients; each rejects with `Refused` if it fails. */
export type HonestCalls = ReturnType<typeof createHonestCalls>;

export function createHonestCalls(doors: Doors, http: HttpCaller) {
  let calls = 0;
  const post = async (
    url: string,
    body: unknown,
    options: { user?: HonestUser; token?: string | undefined } = {},
  ): Promise<Readonly<Record<string, unknown>>> => {
    const { user, token } = options;
    calls += 1;
    const request: HttpRequest = {
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(user === undefined ? {} : { "x-forwarded-for": user.address }),
      },
      body: JSON.stringify(body),
      // Every fourth call uses a new connection.
      isFresh: calls % 4 === 0,
    };
    const answer = await http.call(url, request).catch((error: unknown) => {
      throw new Refused(problemOf(error));
    });
    if (answer.status !== 200) throw new Refused(`${answer.status} ${messageOf(answer)}`);
    return decode(answer.text);
  };

  return {
    async login(user: HonestUser) {
      const { email, password, deviceToken } = user;
      const body = { email, password, ...(deviceToken === undefined ? {} : { deviceToken }) };
      const answer = await post(`${doors.auth}/${AUTH}/Login`, body, { user });
      user.accessToken = textOf(answer, "accessToken");
      user.refreshToken = textOf(answer, "refreshToken");
      if (deviceToken !== undefined) user.deviceToken = String(answer["deviceToken"] ?? "");
    },
    /** Refreshes the login session; never sends a refresh token that is known to be spent. */
    async refresh(user: HonestUser) {
      const { refreshToken } = user;
      user.refreshToken = "";
      const answer = await post(`${doors.auth}/${AUTH}/Refresh`, { refreshToken }, { user });
      user.accessToken = textOf(answer, "accessToken");
      user.refreshToken = textOf(answer, "refreshToken");
    },
    async mint(user: HonestUser, datasource: string, token?: string) {
      const url = `${doors.auth}/${DATASOURCES}/MintToken`;
      return textOf(await post(url, { datasource }, { user, token }), "token");
    },
    async revoke(user: HonestUser, token: string) {
      const url = `${doors.auth}/${DATASOURCES}/RevokeToken`;
      await post(url, { token }, { user, token: user.accessToken });
    },
    async consume(limiter: string, token: string, key: string) {
      const url = `${limiter}/portcullis.limiter.v1.LimiterService/Consume`;
      const buckets = [{ policy: "realtime.connect.ip", key }];
      const { decision } = await post(url, { buckets }, { token });
      if (textOf(decision, "outcome") !== "OUTCOME_ALLOWED") throw new Refused("over the limit");
    },
    async consumeAtAuth(key: string) {
      const url = `${doors.auth}/internal/gateway/rate-limit/consume`;
      const body = { policy: "realtime.connect.ip", key, cost: 1 };
      const { allowed } = await post(url, body, { token: TOKENS.gateway });
      if (allowed !== true) throw new Refused("over the limit");
    },
    async publish(datasource: string, json: unknown) {
      const url = `${doors.gatewayRpc}/portcullis.realtime.v1.PublishService/Publish`;
      const answer = await post(url, { datasource, json }, { token: TOKENS.publisher });
      return BigInt(textOf(answer, "offset"));
    },
    async readiness(door: string) {
      const answer = await http
        .call(`${door}/readyz`, { method: "GET" })
        .catch((error: unknown) => {
          throw new Refused(problemOf(error));
        });
      if (answer.status !== 200) throw new Refused(`${answer.status}`);
    },
  };
}

function messageOf({ text }: HttpAnswer): string {
  const message = decode(text)["message"];
  return (typeof message === "string" ? message : text).slice(0, MESSAGE_LENGTH);
}

function decode(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function textOf(value: unknown, name: string): string {
  const text = recordOf(value)[name];
  if (typeof text !== "string") throw new Refused(`an answer without ${name}`);
  return text;
}
