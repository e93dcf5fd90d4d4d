import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ROUTES } from "../../tools/edge/edge-policy.ts";
import { NEIGHBOURING_PATHS, PRIVATE_PATHS } from "../../tools/edge/private-paths.ts";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { startRecorder } from "../../tools/edge/prove/recorder.ts";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { canRun } from "./can-run.ts";
import { NGINX_HARMLESS, NGINX_ROUTE_TRAPS } from "./configs/nginx-traps.ts";

const STOP_TIMEOUT_MS = 3_000;

// What the linter says of routes is what nginx does with requests.
describe.runIf(canRun("nginx"))("nginx", () => {
  for (const trap of NGINX_ROUTE_TRAPS.filter(({ target }) => target !== undefined)) {
    test(`forwards what is not for browsers: ${trap.name}`, async () => {
      const { received } = await setup(trap);
      const paths = await received(trap.target ?? "");
      expect(paths).toHaveLength(1);
      expect(paths.filter(isPublic)).toEqual([]);
    });
  }

  for (const harmless of NGINX_HARMLESS) {
    test(`forwards nothing that is not for browsers, with ${harmless.name}`, async () => {
      const { received } = await setup(harmless);
      for (const path of [...PRIVATE_PATHS, ...NEIGHBOURING_PATHS, "/", "/admin"]) {
        expect(await received(path), path).toEqual([]);
      }
      expect(await received("/.well-known/jwks.json")).toEqual(["/.well-known/jwks.json"]);
    });
  }
});

function isPublic(path: string): boolean {
  return ROUTES.some(({ pattern }) => new RegExp(pattern).test(path));
}

/** Starts nginx from the good configuration with a change in it; a recorder is every service. */
async function setup({ replace, by, and }: (typeof NGINX_HARMLESS)[number]) {
  const recorder = await startRecorder();
  onTestFinished(() => recorder.stop());
  const port = await findFreePort();
  const directory = mkdtempSync(join(tmpdir(), "edge-exposures-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const good = readFileSync(new URL("configs/hand-written.nginx.conf", import.meta.url), "utf8");
  const text = good
    .replace(replace, () => by)
    .replace(and?.replace ?? "", () => and?.by ?? "")
    .replaceAll(/^ *ssl_.*$/gm, "")
    .replace(/server \{\s*listen 80;[^}]*\}/, "")
    .replace("listen 443 ssl http2;", `listen 127.0.0.1:${port};`)
    .replaceAll(/10\.0\.0\.\d:\d+/g, `127.0.0.1:${recorder.port}`)
    .replace(
      "http {",
      `pid ${directory}/pid;\nhttp {\naccess_log off;\n${temporaryPaths(directory)}`,
    );
  const file = join(directory, "nginx.conf");
  writeFileSync(file, text);
  const child = await startChild({
    name: "nginx",
    command: "nginx",
    arguments: [
      "-c",
      file,
      "-p",
      directory,
      "-g",
      "daemon off; master_process off; error_log stderr crit;",
    ],
    environment: { PATH: process.env["PATH"] ?? "" },
  });
  onTestFinished(async () => void (await child.stop(STOP_TIMEOUT_MS)));
  const to = { host: "127.0.0.1", port };
  const send = async (target: string) => {
    const headerLines = ["Host: edge.example", "Content-Length: 3"];
    return await sendRaw(to, { method: "POST", target, headerLines, body: "a=b" });
  };
  await eventually(async () => expect((await send("/nowhere")).status).not.toBe(0));
  recorder.take();
  /** The paths that services are asked for when a client sends this. */
  const received = async (target: string) => {
    await send(target.replace("RECORDER", `127.0.0.1:${recorder.port}`));
    return recorder.take().map(({ requestLine }) => requestLine.split(/[ ?]/)[1] ?? "");
  };
  return { received };
}

function temporaryPaths(directory: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join("\n");
}
