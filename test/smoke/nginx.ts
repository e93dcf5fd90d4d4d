import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Child, startChild } from "../../tools/up/child.ts";
import { eventually } from "../fixtures/eventually.ts";
import type { ServiceUrls } from "../fixtures/services.ts";

const STOP_TIMEOUT_MS = 3_000;
const START_TIMEOUT_MS = 10_000;
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Runs a real nginx with the `nginx.conf` of a directory. */
export async function createNginx(directory: string, url: string) {
  await mkdir(join(directory, "logs"), { recursive: true });
  const paths = TEMPORARY.map((kind) => `${kind}_temp_path ${directory}/${kind};\n`).join("");
  await writeFile(join(directory, "temporary.conf"), paths);
  let child: Child | undefined;
  const stop = async () => {
    if (child?.isRunning()) await child.stop(STOP_TIMEOUT_MS);
  };
  const restart = async () => {
    await stop();
    const globals = `daemon off; pid ${directory}/nginx.pid; error_log stderr crit;`;
    child = await startChild({
      name: "nginx",
      command: "nginx",
      arguments: [
        "-c",
        join(directory, "nginx.conf"),
        "-p",
        directory,
        "-e",
        "stderr",
        "-g",
        globals,
      ],
      environment: { PATH: process.env["PATH"] },
    });
    await eventually(() => fetch(url), START_TIMEOUT_MS);
  };
  await restart();
  return { restart, stop };
}

/** An edge that ignores client identity: it passes on every header unchanged. */
export function baselineNginx(urls: ServiceUrls, port: number): string {
  return `events {}
http {
  include temporary.conf;
  access_log off;
  server {
    listen 127.0.0.1:${port};
    proxy_http_version 1.1;
    location /gateway/ {
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_pass ${urls.gateway};
    }
    location / { proxy_pass ${urls.auth}; }
  }
}
`;
}
