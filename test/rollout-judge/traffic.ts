import { setTimeout as sleep } from "node:timers/promises";
import { callRpc } from "../../tools/edge/probe/call-http.ts";
import { connectRealtime } from "../../tools/rollout/judge/connect-realtime.ts";

const PAUSE_MS = 400;

/** Starts users that mint tokens and connect through the edge until stopped. */
export function startTraffic(edgeUrl: string) {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await callRpc({
        url: edgeUrl,
        rpc: "portcullis.auth.v1.DatasourceService/MintToken",
        body: { datasource: "demo" },
      });
      const answer = await connectRealtime(edgeUrl);
      if (answer.kind === "open") answer.connection.close();
      await sleep(PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
