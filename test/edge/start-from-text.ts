import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { formatRequest, sendBytes } from "../../tools/edge/prove/raw-request.ts";
import { startRecorder, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";

const STOP_TIMEOUT_MS = 3_000;

/** A hand-written configuration that runs in front of a recorder, until the test ends. */
export type HandWritten = {
  /** Sends a request, with these bytes in front of it, and answers what its header became. */
  forwarded: (request: {
    header?: string;
    headerLines?: readonly string[];
    before?: string;
    host?: string;
  }) => Promise<string[]>;
};

/**
 * Starts nginx or HAProxy from a text in which PORT, INNER and RECORDER stand for ports: the one
 * that clients use, one that the proxy may use for itself, and that of the service behind it.
 */
export async function startFromText(
  proxy: "nginx" | "haproxy",
  text: string,
): Promise<HandWritten> {
  const recorder = await startRecorder();
  onTestFinished(() => recorder.stop());
  const directory = mkdtempSync(join(tmpdir(), "edge-hand-written-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const port = await findFreePort();
  const inner = await findFreePort();
  const file = join(directory, "edge.conf");
  const filled = text
    .replaceAll("PORT", String(port))
    .replaceAll("INNER", String(inner))
    .replaceAll("RECORDER", String(recorder.port));
  writeFileSync(file, proxy === "nginx" ? wrapNginx(filled, directory) : filled);
  const child = await startChild({
    name: proxy,
    command: proxy,
    arguments:
      proxy === "nginx"
        ? ["-c", file, "-p", directory, "-g", NGINX_GLOBALS]
        : ["-q", "-db", "-f", file],
    environment: { PATH: process.env["PATH"] ?? "" },
  });
  onTestFinished(async () => void (await child.stop(STOP_TIMEOUT_MS)));
  const send = async (host: string, before: string, headerLines: readonly string[]) => {
    const lines = ["Host: edge.example", "Connection: close", ...headerLines];
    const request = { method: "GET", target: PUBLIC_PATH, headerLines: lines };
    const bytes = Buffer.concat([Buffer.from(before), formatRequest(request)]);
    return await sendBytes({ host, port }, bytes);
  };
  return {
    forwarded: async ({
      header = "x-forwarded-for",
      headerLines = [],
      before = "",
      host = "127.0.0.1",
    }) => {
      await eventually(async () => {
        expect((await send(host, before, headerLines)).status).toBe(200);
      });
      const [last] = recorder.take().slice(-1);
      return last === undefined ? [] : valuesOf(last, header);
    },
  };
}

const PUBLIC_PATH = "/.well-known/jwks.json";
const NGINX_GLOBALS = "daemon off; master_process off; error_log stderr crit;";

function wrapNginx(servers: string, directory: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const paths = kinds.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join("\n");
  return `pid ${directory}/pid;\nevents {}\nhttp {\naccess_log off;\n${paths}\n${servers}\n}\n`;
}
