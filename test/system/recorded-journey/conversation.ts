import { WebSocket } from "ws";

/** A websocket whose frames are recorded in order, as they are on the wire. */
export type Conversation = {
  /** Sends a string, bytes or JSON, and records it. */
  say(frame: unknown): void;
  /** Waits for the next frame, records it and returns its text. */
  hear(): Promise<string>;
  /** Sends a frame and waits for the next one. */
  ask(frame: unknown): Promise<string>;
  /** Waits until the gateway closes the connection, and records the code. */
  end(): Promise<void>;
  lines: readonly string[];
  close(): void;
};

export type Handshake = {
  from: string;
  subprotocols?: readonly string[];
  headers?: Readonly<Record<string, string>>;
  /** Describes a binary frame as text. */
  decode?: (bytes: Buffer) => string;
};

const FRAME_TIMEOUT_MS = 10_000;

/** Connects and waits for the upgrade. */
export async function converse(gatewayUrl: string, handshake: Handshake): Promise<Conversation> {
  const { from, subprotocols = ["portcullis.realtime.v1.json"], headers, decode } = handshake;
  const socket = new WebSocket(
    `${gatewayUrl.replace("http", "ws")}/gateway/realtime`,
    [...subprotocols],
    { headers: { "x-forwarded-for": from, ...headers } },
  );
  const lines: string[] = [];
  const heard: string[] = [];
  let wake = () => {};
  socket.on("message", (data: Buffer, isBinary) => {
    heard.push(isBinary && decode !== undefined ? decode(data) : String(data));
    wake();
  });
  const closed = new Promise<string>((resolve) => {
    socket.once("close", (code, reason) => resolve(`< closed ${code} ${reason}`.trimEnd()));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});

  const next = async (): Promise<string> => {
    const text = heard.shift();
    if (text !== undefined) return text;
    const arrived = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await withinTime(arrived, () => `no frame after ${lines.at(-1)}`);
    return await next();
  };
  const say = (frame: unknown) => {
    if (frame instanceof Uint8Array) {
      lines.push(`> hex ${Buffer.from(frame).toString("hex")}`);
      socket.send(frame);
      return;
    }
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    lines.push(text.length > 1_000 ? `> (${text.length} characters)` : `> ${text}`);
    socket.send(text);
  };
  const hear = async () => {
    const text = await next();
    lines.push(`< ${text}`);
    return text;
  };
  return {
    lines,
    say,
    hear,
    async ask(frame) {
      say(frame);
      return await hear();
    },
    async end() {
      const line = await withinTime(closed, () => `not closed after ${lines.at(-1)}`);
      for (const text of heard.splice(0)) lines.push(`< ${text}`);
      lines.push(line);
    },
    close: () => socket.terminate(),
  };
}

async function withinTime<T>(promise: Promise<T>, problem: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem())), FRAME_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
