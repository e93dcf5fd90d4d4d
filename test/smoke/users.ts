import { setTimeout as sleep } from "node:timers/promises";
import { callHttp, callRpc } from "../../tools/edge/probe/call-http.ts";
import { connectRealtime } from "../../tools/rollout/judge/connect-realtime.ts";

/** Before hops are raised all users are one address and share its limits: 300 mints per minute */
const MINT_PAUSE_MS = 2_500;
/** and 60 connects per minute. */
const CONNECT_PAUSE_MS = 1_200;
/** The path `why` costs no limit, and still counts the derived address. */
const ASK_PAUSE_MS = 100;

/** Sends requests of users through the edge all the time, whatever happens behind it. */
export function startUsers(edgeUrl: string) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const repeat = async (pauseMs: number, act: () => Promise<unknown>) => {
    while (!signal.aborted) {
      await act();
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  };
  const running = Promise.all([
    repeat(ASK_PAUSE_MS, () => callHttp({ url: edgeUrl, path: "/gateway/realtime/why" })),
    repeat(MINT_PAUSE_MS, async () => {
      const rpc = "portcullis.auth.v1.DatasourceService/MintToken";
      await callRpc({ url: edgeUrl, rpc, body: { datasource: "demo" } });
    }),
    repeat(CONNECT_PAUSE_MS, async () => {
      const answer = await connectRealtime(edgeUrl);
      if (answer.kind === "open") answer.connection.close();
    }),
  ]);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
