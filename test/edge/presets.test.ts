import { describe, expect, onTestFinished, test } from "vitest";
import { PRESETS } from "../../tools/edge/presets.ts";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { startRecorder, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES, type RunnableProxy, startProxy } from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";
import { deriveFrom } from "./inspect-forwarded.ts";
import { API, requestOn } from "./routes.ts";

const SPOOF = "6.6.6.6";
const CLIENT = "203.0.113.9";
const CLIENT_V6 = "2001:db8::7";

/** One entry behind what the client wrote, with or without a port, or in a line of its own. */
const APPENDED = [
  [CLIENT, `X-Forwarded-For: ${SPOOF}, ${CLIENT}`],
  [CLIENT, `X-Forwarded-For: "${SPOOF}`, `X-Forwarded-For: ${CLIENT}:51234`],
  [CLIENT_V6, `X-Forwarded-For: ${SPOOF},[${CLIENT_V6}]:443`],
];
const named = (header: string) => [
  [CLIENT, `${header}: ${CLIENT}`, `X-Forwarded-For: ${SPOOF}, 198.51.100.1`],
  [CLIENT_V6, `${header.toLowerCase()}: ${CLIENT_V6}`, `X-Forwarded-For: ${SPOOF}`],
];

/** What each of them sends, and who the client then is. */
const SENT: Readonly<Record<string, string[][]>> = {
  direct: [["127.0.0.1", `X-Forwarded-For: ${SPOOF}`]],
  "aws-nlb": [["127.0.0.1", `X-Forwarded-For: ${SPOOF}`, `X-Real-IP: ${SPOOF}`]],
  cdn: APPENDED,
  "cdn-append": APPENDED,
  "aws-alb": APPENDED,
  cloudfront: APPENDED,
  google: [
    [CLIENT, `X-Forwarded-For: ${SPOOF},${CLIENT}, 198.51.100.1`],
    [CLIENT, `X-Forwarded-For: ${SPOOF}`, `X-Forwarded-For: ${CLIENT},198.51.100.1`],
    [CLIENT_V6, `X-Forwarded-For: ${CLIENT_V6}`, "X-Forwarded-For: 2600:1901::1"],
    // With one entry alone, or a wrong one, nobody is named.
    ["127.0.0.1", `X-Forwarded-For: ${CLIENT}`],
    ["127.0.0.1", `X-Forwarded-For: ${CLIENT}, unknown`],
  ],
  "azure-front-door": APPENDED,
  "azure-application-gateway": APPENDED,
  cloudflare: named("CF-Connecting-IP"),
  fastly: APPENDED,
  akamai: named("True-Client-IP"),
  fly: named("Fly-Client-IP"),
  railway: named("X-Real-IP"),
  digitalocean: named("do-connecting-ip"),
  heroku: APPENDED,
  render: named("True-Client-IP"),
};

for (const { name, topology, header } of PRESETS) {
  describe(`behind ${name}`, () => {
    test.each(RUNNABLE_PROXIES.filter(canRun))(
      "%s finds the client, and believes nobody else",
      async (proxy) => {
        const edge = await setup(proxy, name);
        const cases = SENT[name] ?? [];
        expect(cases).not.toEqual([]);
        for (const [client, ...lines] of cases) {
          const recorded = await edge.send(lines);
          expect(deriveFrom(recorded, topology).ip, lines.join()).toBe(client);
          const claims = [
            "cf-connecting-ip",
            "true-client-ip",
            "fly-client-ip",
            "do-connecting-ip",
          ];
          expect(claims.flatMap((claim) => valuesOf(recorded, claim))).toEqual([]);
        }
        const lie = [`${header}: ${CLIENT}, ${CLIENT}`, `X-Forwarded-For: ${CLIENT}, ${CLIENT}`];
        const stranger = await edge.send(lie, "::1");
        expect(valuesOf(stranger, "x-forwarded-for")).toEqual(["::1"]);
      },
    );
  });
}

/** Whoever connects over IPv4 is believed, and nobody who connects over IPv6. */
async function setup(proxy: RunnableProxy, topology: string) {
  const cidrs = ["127.0.0.0/8"];
  const recorder = await startRecorder();
  const port = await findFreePort();
  const config = edgeConfig(port, recorder.port, { topology, cidrs });
  const edge = await startProxy({ proxy, config, path: process.env["PATH"] });
  onTestFinished(async () => {
    await edge.stop();
    await recorder.stop();
  });
  const send = async (lines: readonly string[], host = "127.0.0.1") => {
    await sendRaw({ host, port }, requestOn(API, { id: "", lines, forwardedLines: [] }));
    const [recorded] = recorder.take();
    if (recorded === undefined) throw new Error("nothing reached the service");
    return recorded;
  };
  return { send };
}
