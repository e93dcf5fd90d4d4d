import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { formatRequest, type RawRequest } from "./raw-request.ts";
import type { Listener } from "./stand-ins.ts";

/** An address of this machine that a client of the proof connects from. */
export type Peer = { kind: "outside" | "inside"; address: string };

/** Hands out the addresses of clients. */
export type Peers = {
  /** A client that nobody trusts; another one after some requests, since edges limit clients. */
  outside: () => Peer;
  /** A peer of the kind that the file trusts; undefined where this machine has no such address. */
  inside: () => Peer | undefined;
};

/** Fewer than any edge allows one client within seconds. */
const REQUESTS_PER_PEER = 20;

/** Any address of 127.0.0.0/8 can be connected from on Linux; elsewhere only the first. */
export async function createPeers(): Promise<Peers> {
  const hasAliases = await canBind("127.8.0.1");
  const counted = (kind: Peer["kind"], prefix: string) => {
    let sent = 0;
    return () => {
      const index = 1 + Math.floor(sent / REQUESTS_PER_PEER);
      sent += 1;
      return { kind, address: `${prefix}.${Math.floor(index / 250)}.${1 + (index % 250)}` };
    };
  };
  const inside = counted("inside", "127.9");
  if (hasAliases) return { outside: counted("outside", "127.8"), inside };
  return { outside: () => ({ kind: "outside", address: "127.0.0.1" }), inside: () => undefined };
}

async function canBind(host: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port: 0 }, () => server.close(() => resolve(true)));
  });
}

/** A way into a proxy: one request after the other, on one connection where that stays open. */
export type Door = {
  /**
   * Resolves with the status; 0 where no answer came. A listener that takes a PROXY line gets the
   * peer's own address in it, or the claimed one.
   */
  send: (peer: Peer, request: RawRequest, claimed?: string) => Promise<number>;
  /** The same over HTTP/2, where the listener has it. */
  sendHttp2: (peer: Peer, request: RawRequest) => Promise<number>;
  close: () => void;
};

/** A proxy on this machine that has not answered by then does not answer. */
const ANSWER_TIMEOUT_MS = 1_500;

type Connection = { socket: Socket; peer: string };

/** Opens connections to a listener under one host name. */
export function createDoor(listener: Listener, hostName: string): Door {
  let kept: Connection | undefined;
  const sessions = new Map<string, ClientHttp2Session>();
  const dial = (peer: Peer, protocol: "h2" | "http/1.1", claimed = peer.address): Socket => {
    const to = { host: "127.0.0.1", port: listener.port, localAddress: peer.address };
    const socket = connect(to);
    // The PROXY line comes before everything else, a TLS handshake included.
    if (listener.takesProxyLine) socket.write(`PROXY TCP4 ${claimed} 127.0.0.1 40000 443\r\n`);
    if (!listener.isTls) return socket;
    socket.on("error", () => socket.destroy());
    return connectTls({
      socket,
      servername: hostName,
      ALPNProtocols: [protocol],
      // The certificate was made for this proof alone.
      rejectUnauthorized: false,
    });
  };
  return {
    send: async (peer, request, claimed) => {
      const isKept = kept?.peer === peer.address && claimed === undefined && !kept.socket.destroyed;
      if (!isKept) kept?.socket.destroy();
      const socket = isKept && kept !== undefined ? kept.socket : dial(peer, "http/1.1", claimed);
      const { status, isReusable } = await exchange(socket, formatRequest(request));
      // Behind a claimed address no honest request is sent.
      const isKeepable = isReusable && claimed === undefined;
      kept = isKeepable ? { socket, peer: peer.address } : undefined;
      if (!isKeepable) socket.destroy();
      return status;
    },
    sendHttp2: async (peer, request) => {
      const known = sessions.get(peer.address);
      const isOpen = known !== undefined && !known.closed && !known.destroyed;
      const session = isOpen
        ? known
        : connectHttp2(`https://${hostName}`, { createConnection: () => dial(peer, "h2") });
      if (!isOpen) session.on("error", () => session.destroy());
      sessions.set(peer.address, session);
      return await exchangeHttp2(session, hostName, request);
    },
    close: () => {
      kept?.socket.destroy();
      for (const session of sessions.values()) session.destroy();
    },
  };
}

type Answer = { status: number; isReusable: boolean };

async function exchange(socket: Socket, bytes: Buffer): Promise<Answer> {
  return await new Promise((resolve) => {
    let text = "";
    const finish = (isReusable: boolean) => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      // A kept socket may still be closed by the proxy: that is no error.
      socket.on("error", () => socket.destroy());
      socket.on("end", () => socket.destroy());
      resolve({ status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), isReusable });
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => finish(false));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = text.slice(0, end);
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      const isEnded = length === undefined || /^connection: *(close|upgrade)/im.test(head);
      if (isEnded) finish(false);
      else if (text.length >= end + 4 + Number(length)) finish(true);
    });
    socket.on("close", () => finish(false));
    // A proxy that refuses may reset the connection while the rest is still being written.
    socket.on("error", () => finish(false));
    socket.write(bytes);
  });
}

async function exchangeHttp2(
  session: ClientHttp2Session,
  authority: string,
  { method, target, headerLines, body = "" }: RawRequest,
): Promise<number> {
  const headers: Record<string, string[]> = {};
  for (const line of headerLines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    // HTTP/2 has no use for these.
    if (["host", "connection", "upgrade"].includes(name)) continue;
    headers[name] = [...(headers[name] ?? []), line.slice(colon + 1).trim()];
  }
  const pseudo = { ":method": method, ":path": target, ":authority": authority };
  return await new Promise((resolve) => {
    try {
      const stream = session.request({ ...joinSingles(headers), ...pseudo });
      stream.setTimeout(ANSWER_TIMEOUT_MS, () => stream.close());
      stream.on("response", (answer) => {
        stream.resume();
        stream.once("end", () => resolve(Number(answer[":status"] ?? 0)));
      });
      stream.on("error", () => resolve(0));
      stream.on("close", () => resolve(0));
      stream.end(body);
    } catch {
      // Node refuses what no client of HTTP/2 can send.
      resolve(0);
    }
  });
}

/** Node takes a list only for names that may stand several times. */
function joinSingles(
  headers: Readonly<Record<string, readonly string[]>>,
): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? "") : [...values],
    ]),
  );
}
