import { expect, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { type GatewayAlone, startGatewayAlone } from "./gateway-alone.ts";
import { readMetric } from "./gateway-system.ts";
import { openConnection, sendInPieces } from "./raw-connection.ts";
import { HANDSHAKE_LINES, sendRaw, upgradeRaw } from "./raw-request.ts";
import { connect } from "./realtime-client.ts";

/** A head that is not complete is given this time, and the test some more. */
const REQUEST_TIMEOUT_MS = 5_000;
const SLACK_MS = 3_000;

test("the public door serves liveness alone beside upgrades and why", async () => {
  const { url } = await startGatewayAlone();
  const answers = {
    "GET /healthz": [200, '{"status":"alive"}'],
    "HEAD /healthz": [200, ""],
    "OPTIONS /healthz": [204, ""],
    "POST /healthz": [405, expect.any(String)],
    "GET /readyz": [404, expect.any(String)],
    "GET /metrics": [404, expect.any(String)],
    "POST /portcullis.realtime.v1.PublishService/Publish": [404, expect.any(String)],
    "POST /portcullis.identity.v1.IdentityService/WhoIsCalling": [404, expect.any(String)],
    "GET /gateway/realtime/other": [404, expect.any(String)],
  };
  for (const [call, expected] of Object.entries(answers)) {
    const [method = "", path = ""] = call.split(" ");
    const answer = await fetch(`${url}${path}`, { method });
    expect([answer.status, await answer.text()], call).toEqual(expected);
    // Each connection takes one request, so nothing can be taken for another.
    const connection = await openConnection(url);
    connection.socket.write(`${call} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(await connection.closed, call).toMatch(`HTTP/1.1 ${answer.status} `);
  }
});

test("what the parser will not take is answered or closed within a second", async () => {
  const { url } = await startGatewayAlone();
  const cases: [string, string, string[], RegExp][] = [
    [
      "two lengths",
      "POST / HTTP/1.1",
      ["Content-Length: 0", "Content-Length: 5"],
      /^HTTP\/1.1 400/,
    ],
    ["no host", "GET /healthz HTTP/1.1", [], /^HTTP\/1.1 400/],
    [
      "100 lines",
      "GET /healthz HTTP/1.1",
      ["Host: a", ...Array(100).fill("a: b")],
      /^HTTP\/1.1 431/,
    ],
    ["50 lines", "GET /healthz HTTP/1.1", ["Host: a", ...Array(50).fill("a: b")], /^HTTP\/1.1 200/],
    ["two hosts", "GET /healthz HTTP/1.1", ["Host: a", "Host: b"], /^HTTP\/1.1 400/],
    ["no number", "POST / HTTP/1.1", ["Host: a", "Content-Length: x"], /^HTTP\/1.1 400/],
    ["a control byte", "GET /healthz HTTP/1.1", ["Host: a", "x: a\0b"], /^HTTP\/1.1 400/],
    ["a folded line", "GET /healthz HTTP/1.1", ["Host: a", "x: a", " b"], /^HTTP\/1.1 400/],
    [
      "a handshake with a body",
      "GET /gateway/realtime HTTP/1.1",
      ["Host: a", ...HANDSHAKE_LINES, "Content-Length: 5"],
      /^HTTP\/1.1 400/,
    ],
    ["spaced name", "GET /healthz HTTP/1.1", ["Host : a"], /^HTTP\/1.1 400/],
  ];
  for (const [what, requestLine, lines, expected] of cases) {
    const startedAt = performance.now();
    const connection = await openConnection(url);
    connection.socket.write([requestLine, ...lines, "", ""].join("\r\n"));
    expect(await connection.closed, what).toMatch(expected);
    expect(performance.now() - startedAt, what).toBeLessThan(1_000);
  }
});

test("16 KiB of cookies are taken, and more refused with 431, whatever the segments", async () => {
  const { url } = await startGatewayAlone();
  const lines = ["GET /gateway/realtime HTTP/1.1", "Host: a", ...HANDSHAKE_LINES];
  for (const [bytes, expected] of [
    [4_500, 101],
    [8_000, 101],
    [16 * 1024, 101],
    [19 * 1024, 431],
    [60 * 1024, 431],
  ] as const) {
    const head = [...lines, `Cookie: ${"c".repeat(bytes)}`, "", ""].join("\r\n");
    for (const segment of [head.length, 1_400, 4_096]) {
      const connection = await openConnection(url);
      await sendInPieces(connection, head, segment);
      await eventually(() => {
        expect(connection.text(), `${bytes} in ${segment}`).toMatch(`HTTP/1.1 ${expected} `);
      });
      connection.socket.destroy();
    }
  }
});

test("a head that does not end is given its time, however it comes", async () => {
  const gateway = await startGatewayAlone();
  const startedAt = performance.now();
  const heads = [
    "",
    "G",
    "GET /healthz HTTP/1.1\r\n",
    `GET / HTTP/1.1\r\na: ${"b".repeat(15_000)}`,
  ];
  const bodies = ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody"];
  const still = [...heads, ...bodies].map(async (text) => {
    const connection = await openConnection(gateway.url);
    connection.socket.write(text);
    return await connection.closed;
  });
  const dripping = [1, 7, 100].map(async (bytes) => {
    const connection = await openConnection(gateway.url);
    const drip = setInterval(() => connection.socket.write("x: y\r\n".repeat(bytes)), 250);
    connection.socket.write("GET /healthz HTTP/1.1\r\n");
    const text = await connection.closed;
    clearInterval(drip);
    return text;
  });
  const answers = await Promise.all([...still, ...dripping]);
  expect(performance.now() - startedAt).toBeLessThan(REQUEST_TIMEOUT_MS + SLACK_MS);
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 (408|431) /);
  expect(await shed(gateway, "slow_request")).toBeGreaterThanOrEqual(answers.length - 2);
});

test("an address holds so many connections without a request, and others notice nothing", async () => {
  const gateway = await startGatewayAlone();
  const idle = await openIdle(gateway.url, 300, "127.0.0.2");
  await eventually(() => expect(idle.open()).toBe(64));
  expect(idle.answers().every((text) => text.startsWith("HTTP/1.1 429 "))).toBe(true);
  expect(await shed(gateway, "connections_address")).toBe(300 - 64);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  expect((await upgradeRaw(gateway.url, [])).status).toBe(101);
});

test("a trusted proxy holds as many as there are clients behind it", async () => {
  const behind = { REALTIME_TRUST_PROXY_HOPS: "1", TRUSTED_PROXY_CIDRS: "127.0.0.2/32" };
  const gateway = await startGatewayAlone({ environment: behind });
  const proxy = await openIdle(gateway.url, 200, "127.0.0.2");
  const stranger = await openIdle(gateway.url, 200, "127.0.0.3");
  await eventually(() => expect(stranger.open()).toBe(64));
  expect(proxy.open()).toBe(200);
});

test("600 idle connections of many addresses starve nobody of a few descriptors", async () => {
  const gateway = await startGatewayAlone({ openFilesMax: 256 });
  const crowd = Array.from({ length: 60 }, (_, index) => `127.0.1.${index + 1}`);
  for (const address of crowd) {
    await openIdle(gateway.url, 10, address);
    expect((await upgradeRaw(gateway.url, [])).status).toBe(101);
  }
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  const reasons = ["connections", "connections_address", "slow_request"];
  const counts = await Promise.all(reasons.map(async (what) => await shed(gateway, what)));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(500);
});

test("one address has its share of the upgrades that are decided at once", async () => {
  const { url } = await startGatewayAlone({
    limiterDelayMs: 1_500,
    environment: { REALTIME_TRUST_PROXY_HOPS: "1" },
  });
  const asked = Array.from({ length: 100 }, () => upgradeRaw(url, ["X-Forwarded-For: 192.0.2.1"]));
  const other = upgradeRaw(url, ["X-Forwarded-For: 192.0.2.2"]);
  const answers = await Promise.all(asked);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(100 - 64);
  for (const { headers } of refused) expect(headers.get("retry-after")).toMatch(/^[1-9]/);
  expect((await other).status).toBe(101);
});

test("an IPv6 network has its share, however many of its addresses ask", async () => {
  const { url } = await startGatewayAlone({
    limiterDelayMs: 1_500,
    environment: { REALTIME_TRUST_PROXY_HOPS: "1" },
  });
  const asked = Array.from({ length: 300 }, (_, index) =>
    upgradeRaw(url, [`X-Forwarded-For: 2001:db8:7:${index.toString(16)}::1`]),
  );
  const other = upgradeRaw(url, ["X-Forwarded-For: 2001:db8:8::1"]);
  const refused = (await Promise.all(asked)).filter(({ status }) => status === 429);
  expect(refused).toHaveLength(300 - 256);
  expect((await other).status).toBe(101);
});

test("upgrades that are aborted, refused or closed while decided corrupt no memory", async () => {
  const gateway = await startGatewayAlone({
    limiterDelayMs: 5,
    // Freed memory is overwritten, and a heap that was written to after that ends the process.
    environment: {
      MALLOC_PERTURB_: "165",
      MALLOC_CHECK_: "3",
      ALLOWED_ORIGINS: "https://a.example",
    },
  });
  const head = ["GET /gateway/realtime HTTP/1.1", "Host: a", ...HANDSHAKE_LINES].join("\r\n");
  const kinds = {
    upgraded: async () => {
      const client = await connect(gateway.url);
      await client.ask({ ping: {} });
      await client.close();
    },
    refused: async () => {
      const lines = [...HANDSHAKE_LINES, "Origin: https://b.example"];
      expect((await upgradeRaw(gateway.url, [], lines)).status).toBe(403);
    },
    aborted: async (round: number) => {
      const { socket, closed } = await openConnection(gateway.url);
      socket.write(`${head}\r\n\r\n`);
      setTimeout(() => socket.resetAndDestroy(), round % 12);
      await closed;
    },
    "half closed": async () => {
      const { socket, closed } = await openConnection(gateway.url);
      socket.end(`${head}\r\n\r\n`);
      await closed;
    },
    pipelined: async () => {
      const { socket, closed } = await openConnection(gateway.url);
      socket.write(`${head}\r\n\r\n${head}\r\n\r\n`);
      await closed;
    },
    cut: async (round: number) => {
      const { socket, closed } = await openConnection(gateway.url);
      socket.write(head.slice(0, round % head.length));
      setTimeout(() => socket.destroy(), 3);
      await closed;
    },
    chunked: async () => {
      const { socket, closed } = await openConnection(gateway.url);
      socket.write(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      await closed;
    },
  };
  for (let round = 0; round < 60; round++) {
    const works = Object.values(kinds).flatMap((work) => [work(round), work(round + 7)]);
    await Promise.all(works);
  }
  expect(gateway.child.isRunning()).toBe(true);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  // The library says so on standard error when it is used in a way that it does not like.
  expect(gateway.output.filter((line) => !line.startsWith("{"))).toEqual([]);
  await eventually(async () => {
    expect(await readMetric(gateway.metricsUrl, "portcullis_realtime_connections")).toBe(0);
  });
  expect(await gateway.child.stop(5_000)).toMatchObject({ code: 0 });
});

test("a body is read and dropped, so that its sender sees the answer", async () => {
  const { url } = await startGatewayAlone();
  const lines = ["Content-Length: 50000"];
  const answer = await sendRaw(url, "POST /nowhere HTTP/1.1", lines, "x".repeat(50_000));
  expect(answer.status).toBe(404);
  const connection = await openConnection(url);
  connection.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
  await sendInPieces(connection, "x".repeat(200_000), 20_000);
  expect((await connection.closed).slice(0, 13)).toMatch(/^$|^HTTP\/1.1 413/);
});

/** Opens connections that say nothing. */
async function openIdle(url: string, count: number, address: string) {
  const answers: string[] = [];
  let open = count;
  for (let index = 0; index < count; index++) {
    const connection = await openConnection(url, address);
    void connection.closed.then((text) => {
      open -= 1;
      answers.push(text);
    });
  }
  return { open: () => open, answers: () => answers };
}

async function shed({ metricsUrl }: GatewayAlone, what: string): Promise<number> {
  return await readMetric(metricsUrl, "portcullis_realtime_shed_total", { what });
}
