import { createServer, type Server } from "node:http";
import { HEAD_BYTES_MAX } from "../request-head.ts";

/** Creates an HTTP server without timeouts and answers of its own. */
export function createHttpServer(linesMax: number): Server & { httpAllowHalfOpen: boolean } {
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    // The door gives every connection one deadline for its whole request.
    headersTimeout: 0,
    requestTimeout: 0,
    requireHostHeader: false,
  });
  // One more than allowed, so that too many lines can be detected.
  server.maxHeadersCount = linesMax + 1;
  // A client that has ended its half can still read the answer.
  return Object.assign(server, { httpAllowHalfOpen: true });
}
