import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { publish } from "../fixtures/publish.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";

/** The burst of `realtime.connect.ip`. */
const WITHIN_THE_LIMIT = 60;
/** Enough calls to exceed the limit, including the refill meanwhile. */
const CALLS = 2 * WITHIN_THE_LIMIT;
const STOP_TIMEOUT_MS = 2_000;

let system: System;
beforeAll(async () => {
  system = await startSystem({ environment: PATIENCE });
});
afterAll(async () => {
  await system.stop();
});

test("examples/watch.js prints the hello, the ack, and every update", async () => {
  const lines = await start("watch", { GATEWAY_URL: system.urls.gateway });
  await eventually(() => expect(lines).toHaveLength(2));
  await publish(system.urls, "demo", { price: 1 });
  await eventually(() => expect(lines).toHaveLength(3));
  const members = lines.map((line) => Object.keys(JSON.parse(line)));
  expect(members).toEqual([["hello"], ["id", "ack"], ["update"]]);
});

test("examples/consume-limit.js answers 200, then 429, and 503 without a limiter", async () => {
  const port = await findFreePort();
  await start("consume-limit", { LIMITER_URL: system.urls.limiter, PORT: String(port) });
  const ask = async () => (await fetch(`http://127.0.0.1:${port}`)).status;
  expect(await eventually(ask)).toBe(200);
  const statuses: number[] = [];
  for (let count = 0; count < CALLS; count++) statuses.push(await ask());
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  await system.services.limiter.kill("SIGKILL");
  expect(await ask()).toBe(503);
});

test("README.md shows examples/consume-limit.js as it is", async () => {
  const example = await readFile("examples/consume-limit.js", "utf8");
  expect(await readFile("README.md", "utf8")).toContain(`\`\`\`js\n${example}\`\`\``);
});

/** Starts an example and returns its lines of output, including later ones. */
async function start(name: string, environment: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const lines: string[] = [];
  const child = await startChild({
    name,
    command: process.execPath,
    arguments: [`examples/${name}.js`],
    environment: { PATH: process.env["PATH"], ...environment },
    onLine: (line) => lines.push(line),
  });
  onTestFinished(async () => void (await child.stop(STOP_TIMEOUT_MS)));
  return lines;
}
