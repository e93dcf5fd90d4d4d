import type { WebSocket } from "uWebSockets.js-20.69";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { listen } from "./listen.ts";
import type { Uws } from "./load.ts";

/** Runs work in a callback of the websocket library, with no socket corked. */
export type RunUncorked = (work: () => void) => void;

/** So many random bytes that no other process can guess the path. */
const SECRET_BYTES = 16;
/** A connection to this machine opens at once. */
const OPEN_TIMEOUT_MS = 2_000;

/**
 * An upgrade must not run inside a `cork`, which then reads the request that the upgrade has freed
 * (fixed in version 20.53 of the library). Outside of every callback, the library writes a warning
 * to stderr for each upgrade. Only its `subscription` callback runs at once and without a cork. So
 * the process keeps a websocket to itself, and subscribes it to run an upgrade. Without that
 * websocket upgrades work, but with the warnings.
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
      // An error that a callback of the library throws would end the process.
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
