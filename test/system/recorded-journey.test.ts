import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { recordAuthDoor, recordDatasources, recordLogin } from "./recorded-journey/auth-scenes.ts";
import { recordGatewayDoor, recordGatewayRpcs } from "./recorded-journey/gateway-scenes.ts";
import { recordIdentity } from "./recorded-journey/identity-scenes.ts";
import { recordInternalRoutes } from "./recorded-journey/internal-scenes.ts";
import { recordLimiter } from "./recorded-journey/limiter-scenes.ts";
import { recordMetricNames } from "./recorded-journey/metric-scenes.ts";
import { recordWithoutDatabase, recordWithoutLimiter } from "./recorded-journey/outage-scenes.ts";
import { journeyPolicies } from "./recorded-journey/policies.ts";
import { createRecorder, type Recorder } from "./recorded-journey/recorder.ts";
import { recordFrameRate, recordWebsocket } from "./recorded-journey/websocket-scenes.ts";

/** Long enough to use a token, short enough to see it end. */
const TOKEN_TTL_SECONDS = 3;

test("auth and the limiter answer byte for byte as recorded", async () => {
  const system = await setup({ services: ["limiter", "auth"] });
  const compare = comparisonOf(system);
  await compare("auth", async (recorder) => {
    await recordLogin(recorder);
    await recordDatasources(recorder);
    await recordAuthDoor(recorder);
    await recordIdentity(recorder, ["auth", "limiter"]);
  });
  await compare("internal", recordInternalRoutes);
  await compare("limiter", recordLimiter);
  for (const name of ["auth", "limiter"] as const) {
    await compare(`metrics-${name}`, async (recorder) => {
      await recordMetricNames(recorder, system.metricsUrls[name]);
    });
  }
  await compare("without-database", async (recorder) => {
    await recordWithoutDatabase(recorder, system);
  });
});

test.each(["auto", "ws"])("the gateway answers as recorded, on engine %s", async (engine) => {
  const system = await setup({ environment: { GATEWAY_ENGINE: engine } });
  const compare = comparisonOf(system);
  await compare("gateway", async (recorder) => {
    await recordGatewayRpcs(recorder);
    await recordGatewayDoor(recorder);
    await recordIdentity(recorder, ["gatewayRpc"]);
  });
  await compare("websocket", async (recorder) => {
    await recordWebsocket(recorder, system.urls);
    await recordFrameRate(recorder, system.urls);
  });
  await compare("metrics-gateway", async (recorder) => {
    await recordMetricNames(recorder, system.metricsUrls.gateway);
  });
  await compare("without-limiter", async (recorder) => {
    await recordWithoutLimiter(recorder, system);
  });
});

/** Plays scenes and compares their recording; `vitest -u` writes a new one. */
function comparisonOf({ urls }: System) {
  return async (name: string, play: (recorder: Recorder) => Promise<void>) => {
    const recorder = createRecorder(urls);
    await play(recorder);
    await expect(recorder.text()).toMatchFileSnapshot(`recorded-journey/${name}.txt`);
  };
}

async function setup(options: Parameters<typeof startSystem>[0]): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-journey-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const policies = join(folder, "policies.yaml");
  await writeFile(policies, await journeyPolicies());
  const system = await startSystem({
    ...options,
    environment: {
      ...PATIENCE,
      API_TRUST_PROXY_HOPS: "1",
      REALTIME_TRUST_PROXY_HOPS: "1",
      ALLOWED_ORIGINS: "https://app.portcullis.test",
      DATASOURCE_TOKEN_TTL_SECONDS: String(TOKEN_TTL_SECONDS),
      REVOCATION_POLL_MS: "100",
      LIMITER_POLICIES_FILE: policies,
      ...options?.environment,
    },
  });
  onTestFinished(system.stop);
  return system;
}
