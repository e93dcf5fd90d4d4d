import WebSocket from "ws";

/** A frame of the gateway in proto3 JSON. */
export type Frame = Readonly<Record<string, unknown>>;

/** An open connection to a gateway. */
export type RealtimeConnection = {
  /** Resolves to the answer with the frame's id. Rejects on close or after ANSWER_TIMEOUT_MS. */
  ask(frame: Frame): Promise<Frame>;
  isOpen(): boolean;
  /** The close code and reason; empty while the connection is open. */
  closeText(): string;
  close(): void;
};

export type ConnectAnswer =
  | { kind: "open"; connection: RealtimeConnection }
  | { kind: "refused"; status: number; retryAfter: string | undefined }
  | { kind: "failed"; problem: string };

const SUBPROTOCOL = "portcullis.realtime.v1.json";
/** The gateway decides about an upgrade within two seconds. */
const OPEN_TIMEOUT_MS = 5_000;
/** The gateway answers a frame within one second, or within three if it cannot reach auth. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Opens a websocket through the edge and waits for the gateway's hello. */
export async function connectRealtime(edgeUrl: string): Promise<ConnectAnswer> {
  const url = new URL("/gateway/realtime", edgeUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, SUBPROTOCOL, { handshakeTimeout: OPEN_TIMEOUT_MS });
  const connection = createConnection(socket);
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      socket.terminate();
      resolve({ kind: "failed", problem: `no hello within ${OPEN_TIMEOUT_MS} ms` });
    }, OPEN_TIMEOUT_MS);
    const settle = (answer: ConnectAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    socket.on("unexpected-response", (request, response) => {
      const { statusCode = 0, headers } = response;
      request.destroy();
      settle({ kind: "refused", status: statusCode, retryAfter: headers["retry-after"] });
    });
    socket.on("error", (error) => settle({ kind: "failed", problem: error.message }));
    socket.on("close", () => settle({ kind: "failed", problem: connection.closeText() }));
    socket.once("message", (data) => {
      const isHello = readFrame(data)?.["hello"] !== undefined;
      settle(isHello ? { kind: "open", connection } : { kind: "failed", problem: "no hello" });
    });
  });
}

function createConnection(socket: WebSocket): RealtimeConnection {
  const waiting = new Map<number, (frame: Frame) => void>();
  let lastId = 0;
  let closeText = "";
  socket.on("close", (code, reason) => {
    closeText = `closed with ${code}${reason.length > 0 ? ` ${reason}` : ""}`;
  });
  socket.on("message", (data) => {
    const frame = readFrame(data);
    const id = frame?.["id"];
    if (frame === undefined || typeof id !== "number") return;
    waiting.get(id)?.(frame);
    waiting.delete(id);
  });
  return {
    async ask(frame) {
      const id = ++lastId;
      return await new Promise<Frame>((resolve, reject) => {
        const fail = () => {
          waiting.delete(id);
          reject(new Error(closeText === "" ? `no answer in ${ANSWER_TIMEOUT_MS} ms` : closeText));
        };
        const timer = setTimeout(fail, ANSWER_TIMEOUT_MS);
        socket.once("close", fail);
        waiting.set(id, (answer) => {
          clearTimeout(timer);
          socket.off("close", fail);
          resolve(answer);
        });
        socket.send(JSON.stringify({ id, ...frame }));
      });
    },
    isOpen: () => socket.readyState === WebSocket.OPEN,
    closeText: () => closeText,
    close: () => socket.close(1000),
  };
}

function readFrame(data: WebSocket.RawData): Frame | undefined {
  try {
    const value: unknown = JSON.parse(textOf(data));
    const isFrame = typeof value === "object" && value !== null;
    return isFrame ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return (Buffer.isBuffer(data) ? data : Buffer.from(data)).toString("utf8");
}
