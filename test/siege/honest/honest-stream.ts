import WebSocket from "ws";

export type StreamFrame = Readonly<Record<string, unknown>>;

/** An open websocket of an honest client. */
export type HonestStream = {
  /** Sends a frame and waits for its answer; rejects with the gateway's error. */
  ask(frame: StreamFrame): Promise<StreamFrame>;
  /** Resolves after an update with this offset or a later one. */
  received(datasource: string, offset: bigint): Promise<void>;
  /** Resolves after the gateway has ended a subscription. */
  ended(datasource: string): Promise<void>;
  /** Settles after the gateway has ended the connection or a subscription, with the reason. */
  over: Promise<string>;
  close(): void;
};

const SUBPROTOCOL = "portcullis.realtime.v1.json";
/** The longest wait of an honest client. */
export const PATIENCE_MS = 5_000;
/** The interval that the gateway asks for. */
const PING_MS = 20_000;

/** Connects and waits for hello; rejects with the status if the gateway refuses. */
export async function openStream(options: {
  gateway: string;
  address: string;
  localAddress: string;
}): Promise<HonestStream> {
  const url = `${options.gateway.replace(/^http/, "ws")}/gateway/realtime`;
  const socket = new WebSocket(url, SUBPROTOCOL, {
    localAddress: options.localAddress,
    headers: { "x-forwarded-for": options.address },
    handshakeTimeout: PATIENCE_MS,
  });
  let end: (reason: string) => void = () => undefined;
  const over = new Promise<string>((resolve) => {
    end = resolve;
  });
  const inbox = new Inbox((datasource, reason) => end(`${datasource} ended: ${reason}`));
  socket.on("message", (data) => inbox.put(JSON.parse(String(data))));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  void closed.then((code) => {
    inbox.end(`closed with ${code}`);
    end(`closed with ${code}`);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      response.resume();
      reject(new Error(`refused with ${response.statusCode}`));
      socket.terminate();
    });
  });
  await inbox.find((frame) => "hello" in frame, "hello");
  const ping = setInterval(() => socket.send('{"ping":{}}'), PING_MS);
  void closed.then(() => clearInterval(ping));
  let ids = 0;
  return {
    async ask(frame) {
      ids += 1;
      const id = ids;
      socket.send(JSON.stringify({ id, ...frame }));
      const answer = await inbox.find((one) => one["id"] === id, "answer");
      const error = recordOf(answer["error"]);
      if (error !== undefined) throw new Error(`${error["status"]} ${error["message"]}`);
      return answer;
    },
    received: async (datasource, offset) => {
      const isThere = () => (inbox.offsets.get(datasource) ?? -1n) >= offset;
      await inbox.until(isThere, `update ${datasource}`);
    },
    ended: async (datasource) => {
      await inbox.until(() => inbox.ended.has(datasource), `end of ${datasource}`);
    },
    over,
    close: () => socket.terminate(),
  };
}

/** The frames that nobody has read, and the state from updates and endings. */
class Inbox {
  readonly offsets = new Map<string, bigint>();
  readonly ended = new Set<string>();
  #frames: StreamFrame[] = [];
  readonly #looks = new Set<() => void>();
  readonly #onEnded: (datasource: string, reason: string) => void;
  #end: string | undefined;

  constructor(onEnded: (datasource: string, reason: string) => void) {
    this.#onEnded = onEnded;
  }

  put(frame: StreamFrame): void {
    const update = recordOf(frame["update"]);
    const status = recordOf(frame["status"]);
    if (update !== undefined) {
      this.offsets.set(String(update["datasource"]), BigInt(String(update["offset"])));
    } else if (status?.["state"] === "STATE_ENDED") {
      const datasource = String(status["datasource"]);
      this.ended.add(datasource);
      this.#onEnded(datasource, String(status["reason"]));
    } else this.#frames.push(frame);
    this.#look();
  }

  end(reason: string): void {
    this.#end = reason;
    this.#look();
  }

  async find(matches: (frame: StreamFrame) => boolean, what: string): Promise<StreamFrame> {
    let found: StreamFrame | undefined;
    await this.until(() => {
      found = this.#frames.find(matches);
      return found !== undefined;
    }, what);
    this.#frames = this.#frames.filter((frame) => frame !== found);
    return found ?? {};
  }

  until(isThere: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#looks.delete(look);
        finish();
      };
      const look = () => {
        if (isThere()) settle(resolve);
        else if (this.#end !== undefined) settle(() => reject(new Error(`${this.#end}`)));
      };
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`no ${what} within ${PATIENCE_MS} ms`)));
      }, PATIENCE_MS);
      this.#looks.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#looks]) look();
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}
