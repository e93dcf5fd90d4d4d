import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Topology } from "../../tools/edge/edge-config.ts";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { type Recorder, startRecorder, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { type RunningProxy, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";
import { deriveFrom } from "./inspect-forwarded.ts";
import { API, REALTIME, requestOn } from "./routes.ts";

/** Elsewhere only 127.0.0.1 is this machine. */
const IS_LINUX = process.platform === "linux";

/** Each party has an address of its own; all of 127.0.0.0/8 is this machine. */
const CLIENT = "127.0.0.5";
const STRANGER = "127.0.0.9";
/** HAProxy connects to the edge from here. */
const CDN = "127.0.0.1";

/** A CDN replaces what the client sent, or adds to it; both kinds are in use. */
const CDN_HABITS = ["replaces", "appends"] as const;
const ROUTES = [API, REALTIME];
const SPOOFS = [[], ["6.6.6.6"], ["6.6.6.6", "7.7.7.7, 8.8.8.8"], ['"6.6.6.6'], [""]];

for (const habit of CDN_HABITS) {
  for (const topology of ["cdn", "cdn-append"] as const) {
    describe.runIf(IS_LINUX && canRun("haproxy") && canRun("nginx"))(
      `HAProxy as a CDN that ${habit}, nginx as the edge, topology ${topology}`,
      () => {
        const chain = setup(habit, topology);

        test("the client is the one that connected to the CDN, whatever it claims", async () => {
          for (const route of ROUTES) {
            for (const spoof of SPOOFS) {
              const client = await chain.derive(chain.cdn(), CLIENT, route, spoof);
              expect(client, JSON.stringify(spoof)).toMatchObject({
                ip: CLIENT,
                class: "forwarded",
              });
              expect(client).not.toHaveProperty("warning");
            }
          }
        });

        test("the CDN's address is nobody's client", async () => {
          const { lines } = await chain.send(chain.cdn(), CLIENT, API, ["6.6.6.6"]);
          const expected = {
            cdn: [CLIENT],
            "cdn-append":
              habit === "appends" ? [`6.6.6.6, ${CLIENT}, ${CDN}`] : [`${CLIENT}, ${CDN}`],
          };
          expect(lines).toEqual(expected[topology]);
        });

        test("somebody who goes round the CDN cannot name another address", async () => {
          for (const route of ROUTES) {
            for (const spoof of SPOOFS) {
              const { lines } = await chain.send(chain.edge(), STRANGER, route, spoof);
              expect(lines, JSON.stringify(spoof)).toEqual([STRANGER]);
            }
          }
          // With two hops one entry is doubt, and doubtful clients have keys of their own.
          const client = await chain.derive(chain.edge(), STRANGER, API, ["6.6.6.6"]);
          const expected = {
            cdn: { ip: STRANGER, class: "forwarded", entries: 1 },
            "cdn-append": {
              ip: "127.0.0.1",
              class: "socket",
              warning: "fewer_entries",
              entries: 1,
            },
          };
          expect(client).toEqual(expected[topology]);
        });
      },
    );
  }
}

function setup(habit: (typeof CDN_HABITS)[number], topology: Topology) {
  let recorder: Recorder;
  let cdn: RunningProxy;
  let edge: RunningProxy;
  const ports = { cdn: 0, edge: 0 };
  beforeAll(async () => {
    const path = process.env["PATH"];
    recorder = await startRecorder();
    ports.edge = await findFreePort();
    ports.cdn = await findFreePort();
    const behindCdn = { topology, cidrs: [`${CDN}/32`] };
    edge = await startProxy({
      proxy: "nginx",
      config: edgeConfig(ports.edge, recorder.port, behindCdn),
      path,
    });
    // An edge that appends for everybody is what many CDNs are.
    const appending = { topology: "cdn-append", cidrs: ["127.0.0.0/8"] } as const;
    cdn = await startProxy({
      proxy: "haproxy",
      config: edgeConfig(ports.cdn, ports.edge, habit === "appends" ? appending : {}),
      path,
    });
  });
  afterAll(async () => {
    await cdn?.stop();
    await edge?.stop();
    await recorder?.stop();
  });
  const forward = async (
    port: number,
    from: string,
    route: typeof API,
    spoof: readonly string[],
  ) => {
    const lines = spoof.map((value) => `X-Forwarded-For: ${value}`);
    const request = requestOn(route, { id: "", lines, forwardedLines: spoof });
    await sendRaw({ host: "127.0.0.1", port, localAddress: from }, request);
    const [recorded] = recorder.take();
    if (recorded === undefined) throw new Error("nothing reached the service");
    return recorded;
  };
  return {
    cdn: () => ports.cdn,
    edge: () => ports.edge,
    send: async (...args: Parameters<typeof forward>) => {
      return { lines: valuesOf(await forward(...args), "x-forwarded-for") };
    },
    derive: async (...args: Parameters<typeof forward>) => {
      return deriveFrom(await forward(...args), topology);
    },
  };
}
