import type { IncomingMessage } from "node:http";
import { createContextKey } from "@connectrpc/connect";

/** Where a request came from, as received: nothing of it is trusted yet. */
export type Peer = {
  /** The socket's address as the platform prints it. */
  remote: string;
  /** Every X-Forwarded-For line in order, unparsed. */
  forwardedLines: readonly string[];
};

/** The peer of the RPC being served. */
export const peerKey = createContextKey<Peer>({ remote: "", forwardedLines: [] });

/** Collects the peer of a node:http request, repeated header lines included. */
export function peerOf(request: IncomingMessage): Peer {
  const forwardedLines: string[] = [];
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === 15 && name.toLowerCase() === "x-forwarded-for") {
      forwardedLines.push(rawHeaders[index + 1] ?? "");
    }
  }
  return { remote: request.socket.remoteAddress ?? "", forwardedLines };
}
