import { randomBytes } from "node:crypto";
import { createRemoteJWKSet } from "jose";
import { createLimiterClient } from "../../clients/limiter/create-limiter-client.ts";
import { LeaseKeeper } from "../../clients/limiter/lease-keeper.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { createAllowedOrigins } from "../runtime/allowed-origins.ts";
import { createBoundedWarning } from "../runtime/bounded-warning.ts";
import { createClientIdentity, type ProxyTrust } from "../runtime/client-identity.ts";
import { derive } from "../runtime/client-ip.ts";
import { configHash, policiesHash } from "../runtime/config-hash.ts";
import { announceConfig } from "../runtime/config-info.ts";
import { createHttpTelemetry } from "../runtime/http-telemetry.ts";
import { identityRoutes } from "../runtime/identity-service.ts";
import { createErrorInterceptor, createTelemetryInterceptor } from "../runtime/interceptors.ts";
import { ProbeMemory } from "../runtime/probe-memory.ts";
import type { RunningService, ServiceContext } from "../runtime/run-service.ts";
import { Secret } from "../runtime/secret.ts";
import { serve } from "../runtime/serve.ts";
import { readDescriptorLimit } from "../runtime/way-in/descriptor-limit.ts";
import { AUTH_TIMEOUT_MS, createAuthClient } from "./access/auth-client.ts";
import { createAuthCrowds } from "./access/auth-crowds.ts";
import { createAuthorizer, createCheckTurns } from "./access/authorizer.ts";
import { REALTIME_POLICIES } from "./access/policies.ts";
import { PublicTokens } from "./access/public-tokens.ts";
import { PublicViews } from "./access/public-views.ts";
import { RecentRefusals } from "./access/recent-refusals.ts";
import { RevocationMemory } from "./access/revocation-memory.ts";
import type { GatewayConfig } from "./config.ts";
import { RPC_DOOR } from "./doors.ts";
import { createRealtimeEvents } from "./events.ts";
import { addDependencyService } from "./rpc/dependency-service.ts";
import { addPublishService } from "./rpc/publish-service.ts";
import { divideConnections } from "./session/connection-bounds.ts";
import { scheduleTimer } from "./session/schedule.ts";
import { SendBuffers } from "./session/send-buffers.ts";
import { Sessions } from "./session/sessions.ts";
import { createAdmission } from "./socket/admission.ts";
import { chooseEngine } from "./socket/choose-engine.ts";
import { createHttpRoutes } from "./socket/http-routes.ts";
import { createUpgrade, PLACE_TTL_MS } from "./socket/websocket-route.ts";
import { createWhyRoute } from "./socket/why-route.ts";
import { Hub } from "./streams/hub.ts";
import { PublishTargets } from "./streams/publish-targets.ts";
import { followRevocations, RevocationFeed } from "./streams/revocation-feed.ts";

/** Enough that two starts never share an epoch. */
const EPOCH_BYTES = 8;
/** The shortest time between two fetches of auth's keys, for tokens with an unknown key. */
const KEYS_COOLDOWN_MS = 1_000;
/** By then, close frames and answers are sent to every client that reads. */
const STOP_FLUSH_MS = 100;

/** Whether a peer may be one of the trusted proxies. */
function isProxy(remote: string, { hops, trustedProxies }: ProxyTrust): boolean {
  return hops > 0 && derive(remote, [], hops, trustedProxies).warning !== "untrusted_peer";
}

/** Starts the gateway: puts all its parts together. */
export async function start(
  config: GatewayConfig,
  { log, clock, release }: ServiceContext,
): Promise<RunningService> {
  const engine = chooseEngine(config.engine);
  const { name, version, reason } = engine;
  log.info(
    { engine: name, version, reason },
    `websockets are served by ${name} ${version}: ${reason}`,
  );
  const events = createRealtimeEvents();
  const standIn = await loadStandIn(config.limiter);
  const runningWith = {
    release,
    policiesHash: policiesHash(standIn.policies),
    // The gateway verifies with auth's keys and has none of its own.
    keyFingerprints: [],
  };
  const hash = configHash(config, runningWith);
  announceConfig("gateway", config.trust.hops, hash);
  const warn = createBoundedWarning(log, clock);
  const token = config.serviceTokens[0] ?? new Secret("");
  const auth = createAuthClient({
    url: config.authUrl,
    token,
    warn,
    crowds: createAuthCrowds(events),
  });
  const limiter = createLimiterClient({
    ...config.limiter,
    standIn,
    token,
    surface: "realtime",
    policies: REALTIME_POLICIES,
    log,
    clock,
  });
  const keys = createRemoteJWKSet(new URL(`${config.authUrl}/.well-known/jwks.json`), {
    timeoutDuration: AUTH_TIMEOUT_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
  });

  const createEpoch = () => randomBytes(EPOCH_BYTES).toString("hex");
  const hub = new Hub({ createEpoch, clock, events });
  const revocations = new RevocationMemory();
  const views = new PublicViews({ auth, revocations, clock });
  const targets = new PublishTargets({ auth, clock });
  const authorize = createAuthorizer({
    limiter,
    auth,
    keys,
    views,
    publicTokens: new PublicTokens({ auth, revocations, clock }),
    revocations,
    turns: createCheckTurns(),
    events,
    clock,
  });
  const feed = new RevocationFeed({ auth, hub, memory: revocations, views, targets, clock, log });
  events.observeRevocationLag(() => feed.lagMs());

  const bounds = divideConnections(readDescriptorLimit());
  const sessions = new Sessions(bounds, events);
  const refusals = new RecentRefusals(clock);
  const identity = createClientIdentity({ service: "gateway", trust: config.trust, log, clock });
  const probes = new ProbeMemory({
    trust: config.trust,
    operatorTokens: config.callers.operator,
    clock,
  });
  const allowedOrigins = createAllowedOrigins(config.allowedOrigins);
  const leases = new LeaseKeeper(limiter, PLACE_TTL_MS);
  const admit = createAdmission({ allowedOrigins, identity, sessions, refusals });
  const context = {
    hub,
    authorize,
    revocations,
    clock,
    schedule: scheduleTimer,
    buffers: new SendBuffers(),
    noteUnsubscribed: sessions.noteUnsubscribed.bind(sessions),
    log,
  };

  const telemetry = createHttpTelemetry();
  const websockets = { admit, sessions, leases, context, events, telemetry, log };
  const door = await engine.openDoor({
    host: config.listen.host,
    port: config.listen.port,
    bounds,
    isProxy: (remote) => isProxy(remote, config.trust),
    events,
    route: createHttpRoutes({
      allowedOrigins,
      events,
      probes,
      upgrade: createUpgrade(websockets),
      why: createWhyRoute({ allowedOrigins, identity, refusals, clock }),
    }),
  });
  const rpcServer = await serve({
    door: "gateway-rpc",
    kind: "internal",
    policies: RPC_DOOR,
    callers: config.callers,
    trust: config.trust,
    host: config.listen.host,
    port: config.rpcPort,
    routes(router) {
      addPublishService(router, { hub, targets });
      addDependencyService(router, {
        authUrl: config.authUrl,
        limiterUrl: config.limiter.url,
        token,
      });
      identityRoutes(router, {
        trust: config.trust,
        probes,
        failureMode: limiter.failureMode,
        backend: config.limiter.backend,
        configHash: hash,
        runningWith,
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
  log.info({ port: door.port }, "gateway is listening");

  return {
    async stop() {
      door.close();
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
