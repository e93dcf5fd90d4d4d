import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ServerFrameSchema,
} from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { call } from "../../fixtures/call.ts";
import { publish } from "../../fixtures/publish.ts";
import { type ServiceUrls, TOKENS } from "../../fixtures/services.ts";
import { mintToken, signIn } from "../../fixtures/sign-in.ts";
import { type Conversation, converse } from "./conversation.ts";
import type { Recorder } from "./recorder.ts";

/** The client that mints the tokens of the scenes. */
const MINTER = { "x-forwarded-for": "203.0.113.30" };
/** More frames than a session may send at once. */
const TOO_MANY_FRAMES = 400;
/** One more unreadable frame in a row than a session may send. */
const UNREADABLE = 11;

type Scene = {
  urls: ServiceUrls;
  /** Mints a token for a datasource as the demo account. */
  mint(datasource: string): Promise<string>;
  open(from: string, subprotocols?: readonly string[]): Promise<Conversation>;
};

/** Records the websocket protocol, one conversation after another. */
export async function recordWebsocket(recorder: Recorder, urls: ServiceUrls): Promise<void> {
  const accessToken = await signIn(urls, MINTER);
  const opened: Conversation[] = [];
  const scene: Scene = {
    urls,
    mint: async (datasource) => await mintToken(urls, datasource, accessToken, MINTER),
    async open(from, subprotocols) {
      const handshake = { from, decode: decodeFrame };
      const conversation = await converse(
        urls.gateway,
        subprotocols === undefined ? handshake : { ...handshake, subprotocols },
      );
      opened.push(conversation);
      await conversation.hear();
      return conversation;
    },
  };
  const scenes = { streams, refusals, revocation, limits, unreadable, endings, binary, expiry };
  for (const [name, play] of Object.entries(scenes)) {
    const conversations = await play(scene, accessToken);
    for (const { lines } of conversations) recorder.write(`websocket: ${name}`, lines);
  }
  for (const { close } of opened) close();
}

async function streams({ urls, mint, open }: Scene): Promise<Conversation[]> {
  const talk = await open("203.0.113.31");
  await talk.ask({ id: 1, subscribe: { datasource: "demo" } });
  await publish(urls, "demo", { price: 1, text: "ü" });
  await talk.hear();
  await talk.ask({ id: 2, subscribe: { datasource: "demo" } });
  const subscribe = { datasource: "demo-private", token: await mint("demo-private") };
  await talk.ask({ id: 3, subscribe });
  await publish(urls, "demo-private", [1, 2]);
  await talk.hear();
  const refresh = { datasource: "demo-private", token: await mint("demo-private") };
  await talk.ask({ id: 4, refresh });
  await talk.ask({ id: 5, ping: {} });
  await talk.ask({ ping: {} });
  await talk.ask({ id: 6, unsubscribe: { datasource: "demo" } });
  await talk.ask({ id: 7, unsubscribe: { datasource: "demo" } });
  const subscriptions = [
    { datasource: "demo" },
    { datasource: "demo-private" },
    { datasource: "unknown" },
    { datasource: "No Name" },
  ];
  await talk.ask({ id: 8, subscribeAll: { subscriptions } });
  await talk.ask({ id: 9, subscribeAll: {} });
  return [talk];
}

async function refusals({ mint, open }: Scene): Promise<Conversation[]> {
  const talk = await open("203.0.113.32");
  const demoToken = await mint("demo");
  const [head = "", claims = "", signature = ""] = demoToken.split(".");
  const forged = [head, claims, [...signature].reverse().join("")].join(".");
  const bodies = [
    { subscribe: {} },
    { subscribe: { datasource: "No Name" } },
    { subscribe: { datasource: "unknown" } },
    { subscribe: { datasource: "demo-private" } },
    { subscribe: { datasource: "demo-private", token: demoToken } },
    { subscribe: { datasource: "demo", token: forged } },
    { subscribe: { datasource: "demo", token: "noise" } },
    { refresh: { datasource: "demo", token: demoToken } },
    { refresh: {} },
    { unsubscribe: {} },
  ];
  for (const [id, body] of bodies.entries()) await talk.ask({ id, ...body });
  return [talk];
}

async function revocation({ urls, mint, open }: Scene, accessToken: string) {
  const talk = await open("203.0.113.33");
  const token = await mint("demo-private");
  await talk.ask({ id: 1, subscribe: { datasource: "demo-private", token } });
  const url = `${urls.auth}/portcullis.auth.v1.DatasourceService/RevokeToken`;
  await call(url, { token }, { token: accessToken, headers: MINTER });
  await talk.hear();
  await talk.ask({ id: 2, subscribe: { datasource: "demo-private", token } });
  await talk.ask({ id: 3, refresh: { datasource: "demo-private", token } });
  return [talk];
}

async function limits({ urls, open }: Scene): Promise<Conversation[]> {
  const from = "203.0.113.34";
  const talk = await open(from);
  const bucket = { policy: "realtime.subscribe.public.ip", key: from, cost: 60 };
  const url = `${urls.limiter}/portcullis.limiter.v1.LimiterService/Consume`;
  await call(url, { buckets: [bucket] }, { token: TOKENS.gateway });
  await talk.ask({ id: 1, subscribe: { datasource: "demo" } });
  return [talk];
}

async function unreadable({ open }: Scene): Promise<Conversation[]> {
  const talk = await open("203.0.113.35");
  for (const frame of ["", "x", "{}", "[]", '{"id":7}', '{"id":8,"dance":{}}', '{"ping":1}']) {
    await talk.ask(frame);
  }
  const closed = await open("203.0.113.35");
  for (let count = 0; count < UNREADABLE; count++) closed.say("{");
  await closed.end();
  return [talk, closed];
}

async function endings({ open }: Scene): Promise<Conversation[]> {
  const from = "203.0.113.36";
  const large = await open(from);
  large.say(" ".repeat(16 * 1024 + 1));
  const wrongKind = await open(from);
  wrongKind.say(Uint8Array.from([8, 1]));
  const conversations = [large, wrongKind];
  for (const conversation of conversations) await conversation.end();
  return conversations;
}

async function binary({ urls, open }: Scene): Promise<Conversation[]> {
  const talk = await open("203.0.113.37", ["portcullis.realtime.v1.proto"]);
  const encode = (frame: Parameters<typeof create<typeof ClientFrameSchema>>[1]) =>
    toBinary(ClientFrameSchema, create(ClientFrameSchema, frame));
  const subscribe = { case: "subscribe", value: { datasource: "demo" } } as const;
  await talk.ask(encode({ id: 1, body: subscribe }));
  await publish(urls, "demo", { price: 2 });
  await talk.hear();
  await talk.ask(encode({ id: 2, body: { case: "ping", value: {} } }));
  await talk.ask(encode({ id: 3 }));
  talk.say("text");
  await talk.end();
  return [talk];
}

/** A stream that is open when its token expires. */
async function expiry({ mint, open }: Scene): Promise<Conversation[]> {
  const talk = await open("203.0.113.38");
  const token = await mint("demo-private");
  await talk.ask({ id: 1, subscribe: { datasource: "demo-private", token } });
  await talk.hear();
  await talk.ask({ id: 2, subscribe: { datasource: "demo-private", token } });
  return [talk];
}

/** Records the end of a session that sends too many frames; the answers before it vary. */
export async function recordFrameRate(recorder: Recorder, urls: ServiceUrls): Promise<void> {
  const talk = await converse(urls.gateway, { from: "203.0.113.39" });
  for (let count = 0; count < TOO_MANY_FRAMES; count++) talk.say({ ping: {} });
  await talk.end();
  recorder.write("websocket: too many frames", talk.lines.slice(-1));
}

/** Describes a binary frame as JSON, and whether its bytes equal our own encoding. */
function decodeFrame(bytes: Buffer): string {
  const frame = fromBinary(ServerFrameSchema, bytes);
  const isSame = bytes.equals(toBinary(ServerFrameSchema, frame));
  return `${isSame ? "canonical" : "other"} bytes of ${toJsonString(ServerFrameSchema, frame)}`;
}
