import { connect } from "node:http2";
import type { HttpAnswer, HttpCall } from "./call-http.ts";

/** As for HTTP/1.1: every answer of ours comes within three seconds; proxies may add some. */
const CALL_TIMEOUT_MS = 5_000;

/** Makes one call over HTTP/2, on a connection of its own. */
export async function callHttp2(call: HttpCall): Promise<HttpAnswer> {
  const url = new URL(call.url);
  return await new Promise<HttpAnswer>((resolve) => {
    const session = connect(url.origin);
    const settle = (answer: HttpAnswer) => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const fail = (problem: string) => settle({ kind: "none", problem });
    const timer = setTimeout(() => fail(`no answer within ${CALL_TIMEOUT_MS} ms`), CALL_TIMEOUT_MS);
    session.on("error", (error) => fail(error.message));
    session.once("connect", () => {
      const stream = session.request({
        ...Object.fromEntries(
          (call.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]),
        ),
        ":method": call.method ?? "GET",
        ":path": call.path ?? `${url.pathname}${url.search}`,
      });
      let body = "";
      let status = 0;
      stream.setEncoding("utf8");
      stream.on("response", (headers) => {
        status = Number(headers[":status"] ?? 0);
      });
      stream.on("data", (piece: string) => {
        body += piece;
      });
      stream.on("error", (error) => fail(error.message));
      stream.on("close", () => {
        if (status === 0) fail("the connection was closed without an answer");
        else settle({ kind: "answer", status, headers: {}, body });
      });
      stream.end(call.body ?? "");
    });
  });
}
