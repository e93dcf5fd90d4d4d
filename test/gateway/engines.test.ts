import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runServiceToExit } from "../fixtures/service-process.ts";
import { findAddresses } from "../fixtures/services.ts";
import {
  engineTable,
  FRAME_DIFFERENCES,
  PROTOCOL_ERROR,
  REQUEST_DIFFERENCES,
} from "./engine-differences.ts";
import { findEngine } from "./engine-under-test.ts";
import { startGatewayAlone } from "./gateway-alone.ts";
import { openConnection } from "./raw-connection.ts";
import { clientFrame, findCloseCode } from "./raw-frames.ts";
import { HANDSHAKE_LINES } from "./raw-request.ts";
import { connect } from "./realtime-client.ts";

/** Whatever arrives is answered within this time, or the table says that it is not. */
const ANSWER_WITHIN_MS = 1_000;

const HANDSHAKE = ["GET /gateway/realtime HTTP/1.1", "Host: a", ...HANDSHAKE_LINES, "", ""];

test("the gateway says once at start which engine serves, its version and why", async () => {
  const { output } = await startGatewayAlone();
  const { engine, version, reason } = findEngine(output);
  console.info(
    `the engine of this run: ${engine} ${version} on Node ${process.version}: ${reason}`,
  );
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(reason).toContain(`GATEWAY_ENGINE is ${process.env["GATEWAY_ENGINE"] ?? "auto"}`);
  expect(output.filter((line) => line.includes("websockets are served by"))).toHaveLength(1);
});

test("requests that the engines answer differently are answered as the table says", async () => {
  const { url, output } = await startGatewayAlone();
  const { engine } = findEngine(output);
  for (const difference of REQUEST_DIFFERENCES) {
    const { input, bytes } = difference;
    const startedAt = performance.now();
    const connection = await openConnection(url);
    connection.socket.write(bytes, "latin1");
    expect(await connection.closed, input).toMatch(difference[engine].text);
    expect(performance.now() - startedAt, input).toBeLessThan(ANSWER_WITHIN_MS);
  }
});

test("frames that the engines end a websocket for end it as the table says", async () => {
  const { url, output } = await startGatewayAlone();
  const { engine } = findEngine(output);
  for (const difference of FRAME_DIFFERENCES) {
    expect(await closingOf(url, difference.bytes), difference.input).toBe(difference[engine].code);
  }
});

test("every way to break the protocol ends a websocket", async () => {
  const { url, output } = await startGatewayAlone();
  const { code } = PROTOCOL_ERROR[findEngine(output).engine];
  const first = clientFrame(1, "a", { isLast: false });
  const broken = {
    "a reserved bit": clientFrame(2, "x", { reservedBits: 0x10 }),
    "a reserved opcode": clientFrame(3, "x"),
    "a reserved control opcode": clientFrame(11, "x"),
    "a continuation of nothing": clientFrame(0, "x"),
    "a message in a message": first + clientFrame(1, "b"),
    "a ping in pieces": clientFrame(9, "x", { isLast: false }),
    "a ping that is too long": clientFrame(9, "x".repeat(126)),
  };
  for (const [what, bytes] of Object.entries(broken)) {
    expect(await closingOf(url, bytes), what).toBe(code);
  }
});

test("ARCHITECTURE.md has the table of differences", () => {
  const [, table] = /<!-- engines -->\n([\s\S]*?)\n<!-- \/engines -->/.exec(ARCHITECTURE) ?? [];
  expect(table).toBe(engineTable());
});

test("every native binary for x86-64 Linux is pinned by its bytes", () => {
  const { packages }: { packages: Record<string, { integrity?: string }> } = JSON.parse(LOCKFILE);
  const binaries = Object.entries(packages).filter(([path]) => /@uwsjs\/linux-x64-/.test(path));
  expect(binaries.length).toBeGreaterThanOrEqual(5);
  for (const [path, { integrity }] of binaries) expect(integrity, path).toMatch(/^sha512-/);
});

test("where no native binary loads, ws serves, and says what failed", async () => {
  const gateway = await startGatewayAlone({
    environment: { NODE_OPTIONS: ON_ANOTHER_PLATFORM, GATEWAY_ENGINE: "auto" },
  });
  const { engine, reason } = findEngine(gateway.output);
  expect([engine, reason]).toEqual(["ws", expect.stringMatching(/no binary .* loads.*mips/)]);
  const client = await connect(gateway.url);
  expect(await client.ask({ ping: {} })).toHaveProperty("pong");
  await client.close();
});

test("a gateway that must have uWebSockets refuses to start without it, and says what to do", async () => {
  const { environment } = await findAddresses();
  const exit = await runServiceToExit("gateway", {
    ...environment,
    NODE_ENV: "test",
    GATEWAY_ENGINE: "uws",
    NODE_OPTIONS: ON_ANOTHER_PLATFORM,
  });
  expect(exit.code).toBe(1);
  expect(exit.output).toMatch(
    /GATEWAY_ENGINE is uws, and no binary .* loads on Node .* linux-mips/,
  );
  expect(exit.output).toContain("GATEWAY_ENGINE=auto");
});

const ARCHITECTURE = readFileSync("ARCHITECTURE.md", "utf8");
const LOCKFILE = readFileSync("package-lock.json", "utf8");

/** For this one there is no binary. */
const ON_ANOTHER_PLATFORM = `--import=data:text/javascript,${encodeURIComponent(
  `Object.defineProperty(process, "arch", { value: "mips" })`,
)}`;

/** How the gateway ends a websocket on which these bytes came. */
async function closingOf(url: string, bytes: string): Promise<number | "open"> {
  const connection = await openConnection(url);
  const hello = new Promise((resolve) => connection.socket.once("data", resolve));
  connection.socket.write(HANDSHAKE.join("\r\n"));
  await hello;
  connection.socket.write(bytes, "latin1");
  const late = new Promise<"open">((resolve) => setTimeout(resolve, ANSWER_WITHIN_MS, "open"));
  const ended = connection.closed.then((text) => findCloseCode(text) ?? 1006);
  const closing = await Promise.race([ended, late]);
  connection.socket.destroy();
  return closing;
}
