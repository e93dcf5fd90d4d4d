import type { TemplatedApp } from "uWebSockets.js-20.69";
import { cannotListen } from "../engine.ts";
import type { Uws } from "./load.ts";

/** Listens on a port that no other process uses; port 0 takes any free one. */
export async function listen(
  uws: Uws,
  app: TemplatedApp,
  host: string,
  port: number,
): Promise<{ port: number; close(): void }> {
  return await new Promise((resolve, reject) => {
    // By default a second process could share the port and take half of the connections.
    app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      if (socket === false) return reject(cannotListen(host, port));
      const close = () => uws.us_listen_socket_close(socket);
      resolve({ port: uws.us_socket_local_port(socket), close });
    });
  });
}
