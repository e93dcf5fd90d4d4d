import { createServer, type Server } from "node:http";
import { HEAD_BYTES_MAX } from "../request-head.ts";

/** An HTTP server that leaves time to the door, and answers nothing by itself. */
export function createHttpServer(linesMax: number): Server & { httpAllowHalfOpen: boolean } {
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    // The door gives every connection one deadline for all of its request.
    headersTimeout: 0,
    requestTimeout: 0,
    requireHostHeader: false,
  });
  // One more than a head may have, so that the excess is seen.
  server.maxHeadersCount = linesMax + 1;
  // A client that has ended its half still reads the answer.
  return Object.assign(server, { httpAllowHalfOpen: true });
}
