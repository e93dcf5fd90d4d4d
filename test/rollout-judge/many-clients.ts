import { setMaxListeners } from "node:events";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Pause of one client between its requests. */
const PAUSE_MS = 400;

/** Starts clients, each with its own loopback address, that call through the edge until stopped. */
export function startClients(edgeUrl: string, count: number) {
  const stopping = new AbortController();
  const { signal } = stopping;
  setMaxListeners(count + 1, signal);
  const running = Array.from({ length: count }, async (_, index) => {
    const localAddress = `127.0.1.${index + 1}`;
    while (!signal.aborted) {
      await ask({ edgeUrl, localAddress, path: "/gateway/realtime/why" });
      await ask({
        ...{ edgeUrl, localAddress },
        path: "/portcullis.auth.v1.DatasourceService/MintToken",
        body: '{"datasource":"demo"}',
      });
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  });
  return {
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** Ignores errors and refusals, for example while a service restarts: the client calls again. */
async function ask(call: {
  edgeUrl: string;
  localAddress: string;
  path: string;
  body?: string;
}): Promise<void> {
  const { localAddress, body } = call;
  await new Promise<void>((resolve) => {
    const sent = request(new URL(call.path, call.edgeUrl), {
      localAddress,
      agent: false,
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "content-type": "application/json" },
    });
    sent.on("error", () => resolve());
    sent.on("response", (response) => response.resume().on("close", resolve));
    sent.end(body);
  });
}
