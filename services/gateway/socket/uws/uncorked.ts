import type { WebSocket } from "uWebSockets.js-20.69";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { listen } from "./listen.ts";
import type { Uws } from "./load.ts";

/** Runs work in a callback of the websocket library, with no socket corked. */
export type RunUncorked = (work: () => void) => void;

/** Nobody else guesses where the process connects to itself. */
const SECRET_BYTES = 16;
/** A connection within the machine is there at once. */
const OPEN_TIMEOUT_MS = 2_000;

/**
 * An upgrade must not happen in a `cork`, which goes on to read the request that the upgrade has
 * freed (mended in 20.53 of the library). But outside of every callback the library writes a
 * warning to stderr for each upgrade. The one callback that it calls at once, and without a cork,
 * is told of subscriptions; so the process holds a websocket to itself that subscribes to nothing.
 * Without one, upgrades are noisy and else the same.
 */
export async function openUncorked(uws: Uws): Promise<RunUncorked> {
  let work = () => {};
  const path = `/${randomBytes(SECRET_BYTES).toString("hex")}`;
  const app = uws.App();
  const opened = new Promise<WebSocket<object> | undefined>((resolve) => {
    setTimeout(resolve, OPEN_TIMEOUT_MS, undefined).unref();
    app.ws<object>(path, {
      idleTimeout: 0,
      sendPingsAutomatically: false,
      open: (ws) => resolve(ws),
      subscription: () => work(),
    });
  });
  const server = await listen(uws, app, "127.0.0.1", 0);
  const client = connect(server.port, "127.0.0.1");
  client.unref();
  client.on("error", () => {});
  client.write([`GET ${path} HTTP/1.1`, ...HANDSHAKE, "", ""].join("\r\n"));
  client.resume();
  const ws = await opened;
  server.close();
  let isOpen = ws !== undefined;
  client.once("close", () => {
    isOpen = false;
  });

  return (upgrade) => {
    if (ws === undefined || !isOpen) return upgrade();
    let thrown: { error: unknown } | undefined;
    work = () => {
      // What a callback of the library throws would end the process.
      try {
        upgrade();
      } catch (error) {
        thrown = { error };
      }
    };
    ws.subscribe(path);
    work = () => {};
    ws.unsubscribe(path);
    if (thrown !== undefined) throw thrown.error;
  };
}

const HANDSHAKE = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
