import { answerText, callRpc } from "../../edge/probe/call-http.ts";
import { connectRealtime, type Frame, type RealtimeConnection } from "./connect-realtime.ts";

export type JourneyOptions = {
  edgeUrl: string;
  account: { email: string; password: string };
  datasources: { public: string; private: string };
  signal?: AbortSignal | undefined;
};

/** The steps of a user's journey, in order. */
export const JOURNEY_STEPS = [
  "login",
  "mint-public",
  "mint-private",
  "connect",
  "subscribe-public",
  "subscribe-private",
  "logout",
] as const;
export type JourneyStep = (typeof JOURNEY_STEPS)[number];

/** How one step went; a step whose precondition failed is not tried. */
export type StepResult =
  | { step: JourneyStep; kind: "done"; tookMs: number }
  | { step: JourneyStep; kind: "failed"; problem: string }
  | { step: JourneyStep; kind: "not-tried" };

/** Goes through the edge once, as a user does: signs in, mints, connects, subscribes, signs out. */
export async function takeJourney(options: JourneyOptions): Promise<StepResult[]> {
  const { edgeUrl, account, datasources, signal } = options;
  const results: StepResult[] = [];
  const take = async <T>(step: JourneyStep, work: (() => Promise<T>) | undefined) => {
    if (work === undefined) {
      results.push({ step, kind: "not-tried" });
      return undefined;
    }
    const startedMs = performance.now();
    try {
      const result = await work();
      results.push({ step, kind: "done", tookMs: Math.round(performance.now() - startedMs) });
      return result;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      results.push({ step, kind: "failed", problem });
      return undefined;
    }
  };
  const post = async (rpc: string, body: object, token?: string) =>
    await postTo({ url: edgeUrl, rpc: `portcullis.auth.v1.${rpc}`, body, token, signal });
  const mint = async (datasource: string, accessToken?: string) =>
    textOf(await post("DatasourceService/MintToken", { datasource }, accessToken), "token");

  const session = await take("login", async () => {
    const answer = await post("AuthService/Login", account);
    return {
      accessToken: textOf(answer, "accessToken"),
      refreshToken: textOf(answer, "refreshToken"),
    };
  });
  const publicToken = await take("mint-public", () => mint(datasources.public));
  const privateToken = await take(
    "mint-private",
    session && (() => mint(datasources.private, session.accessToken)),
  );
  const connection = await take("connect", () => connect(edgeUrl));
  const subscribe = (datasource: string, token: string | undefined) =>
    connection && token !== undefined
      ? () => subscribeTo(connection, datasource, token)
      : undefined;
  await take("subscribe-public", subscribe(datasources.public, publicToken));
  await take("subscribe-private", subscribe(datasources.private, privateToken));
  connection?.close();
  await take(
    "logout",
    session && (() => post("AuthService/Logout", { refreshToken: session.refreshToken })),
  );
  return results;
}

async function postTo(call: {
  url: string;
  rpc: string;
  body: object;
  token: string | undefined;
  signal: AbortSignal | undefined;
}): Promise<Frame> {
  const answer = await callRpc(call);
  if (answer.kind === "none" || answer.status !== 200) throw new Error(answerText(answer));
  return JSON.parse(answer.body);
}

async function connect(edgeUrl: string): Promise<RealtimeConnection> {
  const answer = await connectRealtime(edgeUrl);
  if (answer.kind === "open") return answer.connection;
  throw new Error(answer.kind === "refused" ? `status ${answer.status}` : answer.problem);
}

async function subscribeTo(
  connection: RealtimeConnection,
  datasource: string,
  token: string,
): Promise<void> {
  const { ack, error } = await connection.ask({ subscribe: { datasource, token } });
  if (ack !== undefined) return;
  throw new Error(`refused: ${JSON.stringify(error ?? "no ack")}`);
}

function textOf(answer: Frame, field: string): string {
  const text = answer[field];
  if (typeof text !== "string" || text === "") throw new Error(`the answer has no ${field}`);
  return text;
}
