import type { Duplex } from "node:stream";
import type { Connection } from "../exchange.ts";
import { badRequest, type HttpAnswer } from "../http-answer.ts";
import { HEAD_BYTES_MAX } from "../request-head.ts";

/** Answers a request that cannot be parsed, or ends a connection that has failed. */
export function answerUnreadable(
  connection: Connection | undefined,
  { code = "" }: { code?: string },
  stream: Duplex,
): void {
  // Errors of the parser start with HPE_, all others concern the connection. The parser reports
  // more errors after the answer; the connection stays open, so that the client can read it.
  if (connection === undefined || !code.startsWith("HPE_")) stream.destroy();
  else connection.answer(ANSWERS[code] ?? MALFORMED);
}

const MALFORMED = badRequest(400, "the request is not HTTP/1.1");

const ANSWERS: Readonly<Record<string, HttpAnswer>> = {
  HPE_HEADER_OVERFLOW: badRequest(431, `a head holds at most ${HEAD_BYTES_MAX} bytes`),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: badRequest(413, "chunk extensions are too large"),
  HPE_INVALID_VERSION: badRequest(505, "the version must be HTTP/1.1"),
};
