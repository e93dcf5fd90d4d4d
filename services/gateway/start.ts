import { randomBytes } from "node:crypto";
import { createRemoteJWKSet } from "jose";
import { LeaseKeeper } from "../../clients/limiter/lease-keeper.ts";
import { createLimiterClient } from "../../clients/limiter/limiter-client.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { createBoundedWarning } from "../runtime/bounded-warning.ts";
import { createClientIdentity } from "../runtime/client-identity.ts";
import { configHash } from "../runtime/config-hash.ts";
import { announceConfig } from "../runtime/config-info.ts";
import { createHttpTelemetry } from "../runtime/http-telemetry.ts";
import { identityRoutes } from "../runtime/identity-service.ts";
import { createErrorInterceptor, createTelemetryInterceptor } from "../runtime/interceptors.ts";
import { ProbeMemory } from "../runtime/probe-memory.ts";
import type { RunningService, ServiceContext } from "../runtime/run-service.ts";
import { Secret } from "../runtime/secret.ts";
import { serve } from "../runtime/serve.ts";
import { createAdmission, PLACE_TTL_MS } from "./admission.ts";
import { AUTH_TIMEOUT_MS, createAuthClient } from "./auth-client.ts";
import { createAuthorizer } from "./authorizer.ts";
import type { GatewayConfig } from "./config.ts";
import { addDependencyService } from "./dependency-service.ts";
import { RPC_DOOR } from "./doors.ts";
import { createRealtimeEvents } from "./events.ts";
import { addHttpRoutes } from "./http-routes.ts";
import { Hub } from "./hub.ts";
import { REALTIME_POLICIES } from "./policies.ts";
import { PublicViews } from "./public-views.ts";
import { addPublishService } from "./publish-service.ts";
import { followRevocations, RevocationFeed } from "./revocation-feed.ts";
import { RevocationMemory } from "./revocation-memory.ts";
import { scheduleTimer } from "./schedule.ts";
import { Sessions } from "./sessions.ts";
import { listen, loadUws } from "./uws.ts";
import { addWebsocketRoute } from "./websocket-route.ts";

/** Enough that two starts never share an epoch. */
const EPOCH_BYTES = 8;
/** Auth's keys are asked for again at most this often when a token names an unknown one. */
const KEYS_COOLDOWN_MS = 1_000;
/** Close frames and answers of clients that read are out long before. */
const STOP_FLUSH_MS = 100;

/** Starts the gateway: everything it consists of, put together in one place. */
export async function start(
  config: GatewayConfig,
  { log, clock }: ServiceContext,
): Promise<RunningService> {
  const uws = await loadUws();
  const events = createRealtimeEvents();
  announceConfig("gateway", config.trust.hops, configHash(config));
  const warn = createBoundedWarning(log, clock);
  const token = config.serviceTokens[0] ?? new Secret("");
  const auth = createAuthClient({ url: config.authUrl, token, warn });
  const limiter = createLimiterClient({
    ...config.limiter,
    standIn: await loadStandIn(config.limiter),
    token,
    surface: "realtime",
    policies: REALTIME_POLICIES,
    log,
    clock,
  });
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", config.authUrl), {
    timeoutDuration: AUTH_TIMEOUT_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
  });

  const hub = new Hub({ epoch: randomBytes(EPOCH_BYTES).toString("hex"), clock, events });
  const revocations = new RevocationMemory();
  const views = new PublicViews({ auth, revocations, clock });
  const authorize = createAuthorizer({ limiter, auth, keys, views, revocations, clock });
  const feed = new RevocationFeed({ auth, hub, memory: revocations, views, clock, log });
  events.observeRevocationLag(() => feed.lagMs());

  const sessions = new Sessions();
  const identity = createClientIdentity({ service: "gateway", trust: config.trust, log, clock });
  const probes = new ProbeMemory({
    trust: config.trust,
    operatorTokens: config.callers.operator,
    clock,
  });
  const allowedOrigins = new Set(config.allowedOrigins);
  const leases = new LeaseKeeper(limiter, PLACE_TTL_MS);
  const admit = createAdmission({ allowedOrigins, identity, limiter, leases, sessions });
  const context = { hub, authorize, revocations, clock, schedule: scheduleTimer, log };

  const app = uws.App();
  const telemetry = createHttpTelemetry();
  addWebsocketRoute(uws, app, { admit, sessions, leases, context, events, probes, telemetry, log });
  addHttpRoutes(app, { allowedOrigins, events, probes });
  const server = await listen(uws, app, config.listen.host, config.listen.port);
  const rpcServer = await serve({
    door: "gateway-rpc",
    kind: "internal",
    policies: RPC_DOOR,
    callers: config.callers,
    trust: config.trust,
    host: config.listen.host,
    port: config.rpcPort,
    routes(router) {
      addPublishService(router, hub);
      addDependencyService(router, {
        authUrl: config.authUrl,
        limiterUrl: config.limiter.url,
        token,
      });
      identityRoutes(router, {
        trust: config.trust,
        probes,
        failureMode: limiter.failureMode,
        configHash: configHash(config),
      });
    },
    interceptors: [
      createTelemetryInterceptor({ trustTraceContext: true }),
      createErrorInterceptor(log),
    ],
    dependencies: () => ({ auth: feed.isCurrent ? "ok" : "unreachable" }),
    log,
  });
  const following = followRevocations(feed, config.revocationPollMs, log);
  log.info({ port: server.port }, "gateway is listening");

  return {
    async stop() {
      server.close();
      sessions.drain(Math.random);
      following.stop();
      await sessions.settled();
      await rpcServer.stop();
      await leases.stop();
      await new Promise((resolve) => setTimeout(resolve, STOP_FLUSH_MS));
      limiter.close();
    },
  };
}
