import { type ClientOptions, WebSocket } from "ws";

/** A frame of the gateway as JSON has it. */
export type Frame = {
  id?: number;
  hello?: { sessionId: string; pingInterval: string };
  ack?: { resumed: boolean; epoch: string; offset: string; expiresAt?: string };
  error?: {
    code: string;
    status: number;
    message: string;
    temporary: boolean;
    retryAfter?: string;
  };
  update?: { datasource: string; offset: string; epoch: string; json: unknown };
  status?: { datasource: string; state: string; reason: string };
  pong?: object;
  subscribed?: {
    results: ({ datasource: string } & Pick<Frame, "ack" | "error">)[];
  };
  bye?: { reason: string; retryAfter: string };
};

/** A connection to the gateway that remembers every frame. */
export type RealtimeClient = {
  socket: WebSocket;
  /** What the gateway has sent, in order. */
  frames: readonly Frame[];
  /** Sends a frame with an id of its own and waits for the answer. */
  ask(body: object): Promise<Frame>;
  send(data: object | string | Uint8Array): void;
  /** The first frame, past or future, that matches. */
  find(matches: (frame: Frame) => boolean, timeoutMs?: number): Promise<Frame>;
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
};

/** An upgrade that was answered with anything but 101. */
export type Refused = { kind: "refused"; status: number; retryAfter: string | undefined };

export type ConnectOptions = {
  /** The address that the trusted proxy vouches for. */
  address?: string;
  subprotocols?: readonly string[];
  headers?: Readonly<Record<string, string>>;
};

export const JSON_FRAMES = "portcullis.realtime.v1.json";
export const PROTO_FRAMES = "portcullis.realtime.v1.proto";

const FRAME_TIMEOUT_MS = 5_000;

/** Tries to connect; a refusal is an answer. */
export async function tryConnect(
  gatewayUrl: string,
  { address, subprotocols = [JSON_FRAMES], headers = {} }: ConnectOptions = {},
): Promise<{ kind: "open"; client: RealtimeClient } | Refused> {
  const forwarded = address === undefined ? {} : { "x-forwarded-for": address };
  const options: ClientOptions = { headers: { ...forwarded, ...headers } };
  const url = `${gatewayUrl.replace("http", "ws")}/gateway/realtime`;
  const socket = new WebSocket(url, [...subprotocols], options);
  const client = createClient(socket);
  return await new Promise((resolve, reject) => {
    socket.once("open", () => resolve({ kind: "open", client }));
    socket.once("unexpected-response", (_request, response) => {
      response.resume();
      const retryAfter = response.headers["retry-after"];
      resolve({ kind: "refused", status: response.statusCode ?? 0, retryAfter });
      socket.terminate();
    });
    socket.on("error", reject);
  });
}

/** Connects; rejects when refused. */
export async function connect(
  gatewayUrl: string,
  options: ConnectOptions = {},
): Promise<RealtimeClient> {
  const result = await tryConnect(gatewayUrl, options);
  if (result.kind === "refused") throw new Error(`refused with ${result.status}`);
  return result.client;
}

function createClient(socket: WebSocket): RealtimeClient {
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  let ids = 0;
  socket.on("message", (data, isBinary) => {
    // Binary frames are for the test that asked for them to read.
    if (!isBinary) frames.push(JSON.parse(String(data)));
    for (const look of waiting) look();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });

  const find = (matches: (frame: Frame) => boolean, timeoutMs = FRAME_TIMEOUT_MS) =>
    new Promise<Frame>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look);
        reject(new Error(`no such frame within ${timeoutMs} ms: ${JSON.stringify(frames)}`));
      }, timeoutMs);
      const look = () => {
        const frame = frames.find(matches);
        if (frame === undefined) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(frame);
      };
      waiting.add(look);
      look();
    });

  return {
    socket,
    frames,
    find,
    closed,
    send(data) {
      const isRaw = typeof data === "string" || data instanceof Uint8Array;
      socket.send(isRaw ? data : JSON.stringify(data));
    },
    async ask(body) {
      const id = ++ids;
      socket.send(JSON.stringify({ id, ...body }));
      return await find((frame) => frame.id === id);
    },
    async close() {
      socket.close();
      await closed;
    },
  };
}
