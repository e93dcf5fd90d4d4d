import { createServer } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { callHttp2 } from "../../tools/edge/probe/call-http2.ts";
import { findFreePort } from "../../tools/up/free-port.ts";

test("callHttp2() sends path, headers and body as they are, and answers the status", async () => {
  const url = await setup();
  const answer = await callHttp2({
    url,
    path: "/a/../b",
    method: "POST",
    headers: [["X-One", "1"]],
    body: "text",
  });
  expect(answer).toMatchObject({ kind: "answer", status: 418, body: "POST /a/../b 1 text" });
});

test("callHttp2() says why there was no answer", async () => {
  const port = await findFreePort();
  const answer = await callHttp2({ url: `http://127.0.0.1:${port}` });
  expect(answer).toMatchObject({ kind: "none", problem: expect.stringContaining("ECONNREFUSED") });
});

/** Starts a server that answers with what it was sent. */
async function setup(): Promise<string> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece: string) => {
      body += piece;
    });
    request.on("end", () => {
      response.writeHead(418);
      response.end(`${request.method} ${request.url} ${request.headers["x-one"]} ${body}`);
    });
  });
  onTestFinished(() => void server.close());
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return `http://127.0.0.1:${port}`;
}
