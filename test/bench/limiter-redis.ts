import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { findFreePort } from "../../tools/up/free-port.ts";

/** Starts a Redis that stores nothing on disk; undefined if redis-server is not installed. */
export async function startRedis(): Promise<{ port: number; stop(): Promise<void> } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-redis-"));
  const port = await findFreePort();
  const settings = ["--port", String(port), "--save", "", "--appendonly", "no", "--dir", folder];
  const child = spawn("redis-server", [...settings, "--bind", "127.0.0.1"], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => {
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 50 });
  client.on("error", () => undefined);
  const answered = client.ping().then(() => true);
  const isUp = await Promise.race([answered.catch(() => false), ended.then(() => false)]);
  client.disconnect();
  if (isUp) return { port, stop };
  await stop();
  return undefined;
}
