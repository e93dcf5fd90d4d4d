import { afterAll, beforeAll } from "vitest";
import type { EdgeConfig } from "../../tools/edge/edge-config.ts";
import { type Recorder, startRecorder } from "../../tools/edge/prove/recorder.ts";
import { readEdgeConfig } from "../../tools/edge/read-edge-config.ts";
import { type RunnableProxy, type RunningProxy, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";

/** A rendered proxy in front of a recorder, for all tests of a block. */
export type EdgeFixture = { port: number; recorder: Recorder };

/** Starts both before the tests of the block, and stops them after. */
export function useEdge(proxy: RunnableProxy, options: EdgeOptions = {}): () => EdgeFixture {
  let fixture: EdgeFixture | undefined;
  let edge: RunningProxy | undefined;
  beforeAll(async () => {
    const recorder = await startRecorder();
    const port = await findFreePort();
    fixture = { port, recorder };
    const config = edgeConfig(port, recorder.port, options);
    edge = await startProxy({ proxy, config, path: process.env["PATH"] });
  });
  afterAll(async () => {
    await edge?.stop();
    await fixture?.recorder.stop();
  });
  return () => {
    if (fixture === undefined) throw new Error(`${proxy} was not started`);
    return fixture;
  };
}

export type EdgeOptions = {
  /** The name of what stands in front. */
  topology?: string;
  /** The ranges that are the CDN's. */
  cidrs?: readonly string[];
  /** More YAML. */
  extra?: string;
};

/** An edge on both families of the loopback interface; one upstream can be everything. */
export function edgeConfig(
  port: number,
  upstream: number | { auth: number; gateway: number },
  options: EdgeOptions = {},
): EdgeConfig {
  const { topology = "direct", cidrs = ["192.0.2.0/24"], extra = "" } = options;
  const ports = typeof upstream === "number" ? { auth: upstream, gateway: upstream } : upstream;
  const at = (one: number) => `"127.0.0.1:${one}"`;
  const reading = readEdgeConfig(`
topology: ${topology}
listen: ["127.0.0.1:${port}", "[::1]:${port}"]
cdn: { cidrs: ${JSON.stringify(cidrs)} }
upstreams: { auth: ${at(ports.auth)}, gateway: ${at(ports.gateway)}, console: ${at(ports.auth)} }
${extra}
`);
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading.config;
}
