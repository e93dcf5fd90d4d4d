import { afterEach, describe, expect, test } from "vitest";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { useEdge } from "./edge-fixture.ts";
import { API, REALTIME, requestOn } from "./routes.ts";

/** More than any edge lets through; the largest request of a browser is a few hundred bytes. */
const BODY_BYTES = 200_000;

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`${proxy} as edge`, () => {
    const edge = useEdge(proxy);
    afterEach(() => void edge().recorder.take());

    test("names no other protocol to the gateway beside a websocket", async () => {
      const plain = requestOn(REALTIME, { id: "", lines: [], forwardedLines: [] });
      for (const second of ["Upgrade: h2c", "upgrade: TLS/1.0", "Upgrade: websocket, h2c"]) {
        const headerLines = [...plain.headerLines, second];
        await sendRaw({ host: "127.0.0.1", port: edge().port }, { ...plain, headerLines });
        const received = edge().recorder.take();
        const values = received.flatMap((one) => valuesOf(one, "upgrade"));
        expect(values.filter((value) => value.toLowerCase() !== "websocket")).toEqual([]);
      }
    });

    test("forwards a short body in chunks", async () => {
      const { status } = await sendRaw(
        { host: "127.0.0.1", port: edge().port },
        inChunks("{}".repeat(100), 2),
      );
      expect(status).toBe(200);
      expect(edge().recorder.take()[0]?.requestLine).toBe(`POST ${API.path} HTTP/1.1`);
    });
  });
}

describe.runIf(canRun("haproxy"))("haproxy as edge", () => {
  const edge = useEdge("haproxy");

  for (const chunkBytes of [1, 1_000, BODY_BYTES]) {
    test(`refuses a long body in chunks of ${chunkBytes} bytes, before any service sees it`, async () => {
      const { status } = await sendRaw(
        { host: "127.0.0.1", port: edge().port },
        inChunks("a".repeat(BODY_BYTES), chunkBytes),
      );
      expect(status).toBe(413);
      expect(edge().recorder.take()).toEqual([]);
    });
  }
});

function inChunks(body: string, chunkBytes: number) {
  const count = Math.ceil(body.length / chunkBytes);
  const chunks = Array.from({ length: count }, (_, index) => {
    const part = body.slice(index * chunkBytes, (index + 1) * chunkBytes);
    return `${part.length.toString(16)}\r\n${part}\r\n`;
  });
  return {
    method: "POST",
    target: API.path,
    headerLines: ["Host: a", "Transfer-Encoding: chunked"],
    body: `${chunks.join("")}0\r\n\r\n`,
  };
}
