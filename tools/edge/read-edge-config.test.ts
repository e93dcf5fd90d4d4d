import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readEdgeConfig } from "./read-edge-config.ts";

test("readEdgeConfig() reads the defaults, and an empty file as the same deployment", () => {
  const defaults = readEdgeConfig(readFileSync(new URL("defaults.yaml", import.meta.url), "utf8"));
  const empty = readEdgeConfig("");
  expect(defaults).toMatchObject({
    kind: "valid",
    config: {
      topology: "direct",
      domains: [],
      listen: [
        { host: "0.0.0.0", port: 8080 },
        { host: "::", port: 8080 },
      ],
      upstreams: { auth: [{ host: "127.0.0.1", port: 4001 }], console: [] },
    },
  });
  expect(empty).toMatchObject({ kind: "valid", config: { topology: "direct", tls: undefined } });
});

test("readEdgeConfig() reports every problem at once, each with its line", () => {
  const reading = readEdgeConfig(`domains: [Example.com, "a b", ok.example]
listen: [70000, "localhost:8080", "[::1]:8080"]
topology: mesh
tls:
  certificate: relative.pem
upstreams:
  auth: 127.0.0.1
  limiter: 127.0.0.1:4002
colour: blue
`);
  expect(
    reading.kind === "invalid" && reading.problems.map(({ line, text }) => [line, text]),
  ).toEqual([
    [1, 'domains: "Example.com" is not valid here'],
    [1, 'domains: "a b" is not valid here'],
    [2, 'listen: "70000" is not valid here'],
    [2, 'listen: "localhost:8080" is not valid here'],
    [3, expect.stringMatching(/^topology must be one of direct, cdn, cdn-append, aws-alb, /)],
    [4, "tls.key must be the absolute path of a file, of plain characters"],
    [5, "tls.certificate must be the absolute path of a file, of plain characters"],
    [7, 'upstreams.auth: "127.0.0.1" is not valid here'],
    [8, 'upstreams has no field "limiter"'],
    [9, 'the file has no field "colour"'],
  ]);
});

test("readEdgeConfig() refuses a CDN that nobody or everybody could be", () => {
  const problems = (text: string) => {
    const reading = readEdgeConfig(text);
    return reading.kind === "invalid" ? reading.problems.map((problem) => problem.text) : [];
  };
  const missing = "topology cdn needs cdn.cidrs: the addresses the CDN connects from";
  expect(problems("topology: cdn")).toEqual([missing]);
  expect(problems("topology: cdn\ncdn: { cidrs: [0.0.0.0/0] }")).toContain(
    'cdn.cidrs: "0.0.0.0/0" is not valid here',
  );
  expect(problems("topology: cdn\ncdn: { cidrs: [10.0.0.0/33] }")).toContain(
    'cdn.cidrs: "10.0.0.0/33" is not valid here',
  );
  expect(
    problems("topology: cdn-append\ncdn: { cidrs: [10.0.0.0/8], header: CF-Connecting-IP }"),
  ).toEqual(["topology cdn-append extends X-Forwarded-For; cdn.header cannot differ"]);
  expect(problems("topology: cdn\ncdn: { cidrs: [10.0.0.0/8], header: 'X-A; evil' }")).toEqual([
    "cdn.header must be one name",
  ]);
});

test("readEdgeConfig() lets a topology from beside the file take the file's place", () => {
  const text = "cdn: { cidrs: [10.0.0.0/8] }";
  expect(readEdgeConfig(text, "cdn")).toMatchObject({ config: { topology: "cdn" } });
  expect(readEdgeConfig("", "cdn")).toMatchObject({ kind: "invalid" });
});

test("readEdgeConfig() knows what a balancer writes by its name, and takes a deployment's own word", () => {
  const peers = "peers: [10.0.0.0/8]";
  const front = (text: string) => {
    const reading = readEdgeConfig(text);
    return reading.kind === "valid" ? reading.config.front : reading.problems;
  };
  expect(front(`topology: google\n${peers}`)).toEqual({
    ...{ peers: ["10.0.0.0/8"], header: "X-Forwarded-For", entries: 2 },
  });
  expect(front(`topology: cloudflare\n${peers}`)).toMatchObject({ header: "CF-Connecting-IP" });
  expect(front(`topology: fastly\n${peers}\nentries: 2`)).toMatchObject({ entries: 2 });
  expect(front(`topology: fly\n${peers}\nheader: x-forwarded-for`)).toMatchObject({
    header: "X-Forwarded-For",
  });
  expect(front("topology: cdn\ncdn: { cidrs: [10.0.0.0/8], header: X-A, entries: 3 }")).toEqual({
    ...{ peers: ["10.0.0.0/8"], header: "X-A", entries: 3 },
  });
});

test("readEdgeConfig() refuses entries that nobody could write, and one thing said twice", () => {
  const problems = (text: string) => {
    const reading = readEdgeConfig(`${text}\npeers: [10.0.0.0/8]`);
    return reading.kind === "invalid" ? reading.problems.map((problem) => problem.text) : [];
  };
  expect(problems("topology: cdn\nentries: 0")).toEqual(["entries must be 1 to 8"]);
  expect(problems("topology: cdn\nentries: 9")).toEqual(["entries must be 1 to 8"]);
  expect(problems("topology: cdn-append\nentries: 2")).toEqual([
    "topology cdn-append counts one entry; choose cdn to resolve more",
  ]);
  expect(problems("topology: cdn\ncdn: { cidrs: [10.0.0.0/8] }")).toEqual([
    "peers and cdn.cidrs say the same thing twice; keep peers",
  ]);
});

test("readEdgeConfig() refuses a name without peers, and says where they are to be found", () => {
  const reading = readEdgeConfig("topology: cloudflare");
  expect(reading.kind === "invalid" && reading.problems.map((problem) => problem.text)).toEqual([
    "topology cloudflare needs peers: the lists at www.cloudflare.com/ips",
  ]);
});

test("readEdgeConfig() refuses to forward browsers to the ports of operators and services", () => {
  const text = "upstreams:\n  auth: [127.0.0.1:4001, 127.0.0.1:4005]\n  gateway: 127.0.0.1:8002\n";
  const reading = readEdgeConfig(text);
  expect(reading.kind === "invalid" && reading.problems.map((problem) => problem.text)).toEqual([
    "upstreams.auth: 4005 is AUTH_ADMIN_PORT, where no browser is answered",
    "upstreams.gateway: 8002 is GATEWAY_RPC_PORT, where no browser is answered",
  ]);
});
