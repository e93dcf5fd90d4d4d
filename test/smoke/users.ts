import { setTimeout as sleep } from "node:timers/promises";
import { callHttp, callRpc } from "../../tools/edge/probe/call-http.ts";
import { connectRealtime } from "../../tools/rollout/judge/connect-realtime.ts";

/** Before hops are raised everybody is one address and has its limits: 300 mints a minute, */
const MINT_PAUSE_MS = 2_500;
/** and 60 connects. */
const CONNECT_PAUSE_MS = 1_200;
/** Asking why costs no limit, and shows who the client is taken for all the same. */
const ASK_PAUSE_MS = 100;

/** Users who come through the edge all the time, whatever happens behind it. */
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
