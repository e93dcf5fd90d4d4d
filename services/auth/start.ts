import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { AuthService, DatasourceService } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { createBoundedWarning } from "../runtime/bounded-warning.ts";
import { createClientIdentity } from "../runtime/client-identity.ts";
import { derive } from "../runtime/client-ip.ts";
import { configHash, policiesHash } from "../runtime/config-hash.ts";
import { announceConfig } from "../runtime/config-info.ts";
import { identityRoutes } from "../runtime/identity-service.ts";
import { createErrorInterceptor, createTelemetryInterceptor } from "../runtime/interceptors.ts";
import { ProbeMemory } from "../runtime/probe-memory.ts";
import type { RunningService, ServiceContext } from "../runtime/run-service.ts";
import { serve } from "../runtime/serve.ts";
import type { Config } from "./config.ts";
import { ADMIN_DOOR, PUBLIC_DOOR } from "./doors.ts";
import { createGatewayHandlers } from "./internal/gateway-routes.ts";
import { createInternalRoutes } from "./internal/internal-route.ts";
import { createLimiterClients } from "./limiter-clients.ts";
import { createLoginTurns } from "./login/login-turns.ts";
import { createNetworkDigests } from "./login/network-digest.ts";
import { hashPassword } from "./login/password-hash.ts";
import { RecentNetworks } from "./login/recent-networks.ts";
import { RecentRefunds } from "./login/recent-refunds.ts";
import { prepareDatabase } from "./prepare-database.ts";
import { retryAfterInterceptor } from "./refusal.ts";
import { createActorInterceptor } from "./rpc/actor.ts";
import { createAuthService } from "./rpc/auth-service.ts";
import { createCors } from "./rpc/cors.ts";
import { createDatasourceService } from "./rpc/datasource-service.ts";
import { createJwksRoute } from "./rpc/jwks-route.ts";
import { createRequestRules } from "./rpc/request-rules.ts";
import { createWrongCredentialsInterceptor } from "./rpc/wrong-credentials.ts";
import { createDatabaseHealth } from "./store/database-health.ts";
import { createDatabases } from "./store/databases.ts";
import { createFailureModeAudit } from "./store/failure-mode-audit.ts";
import { FairQueue } from "./store/fair-queue.ts";
import { startRetention } from "./store/retention.ts";
import { createUnnamedTokens } from "./store/unnamed-tokens.ts";
import { createRefreshTokens } from "./tokens/refresh-token.ts";
import { createTokenSigner } from "./tokens/signed-token.ts";

/**
 * One hash fills a core and 19 MiB. More at once would starve other work: hashes share the four
 * threads of libuv with DNS lookups, compression and signatures. A stranger is answered, or shed,
 * within about two seconds.
 */
const HASHING = {
  ...{ runningMax: 2, waitingMax: 32, shareWaitingMax: 8 },
  waitMsMax: { known: 5_000, stranger: 2_000 },
};

/** Starts auth. After the start, no outage of a dependency ends the process. */
export async function start(
  config: Config,
  { log, clock, release }: ServiceContext,
): Promise<RunningService & { port: number }> {
  const prepared = await prepareDatabase(config, { log, now: new Date(clock.nowMs()) });
  const keys = prepared.signingKeys;
  const signer = createTokenSigner(keys);
  const standIn = await loadStandIn(config.limiter);
  const runningWith = {
    release,
    policiesHash: policiesHash(standIn.policies),
    keyFingerprints: keys.map(({ keyId }) => keyId),
  };
  const hash = configHash(config, runningWith);
  announceConfig("auth", config.trust.hops, hash);
  const databases = createDatabases(config.databaseUrl.reveal(), log);
  const failureModeAudit = createFailureModeAudit(databases.administration, { log, clock });
  const { limiter, gatewayLimiter } = createLimiterClients(config, {
    ...{ log, clock, standIn },
    onFailureModeChange: failureModeAudit.record,
  });
  const identify = createClientIdentity({ service: "auth", trust: config.trust, log, clock });
  const probes = new ProbeMemory({
    trust: config.trust,
    operatorTokens: config.operatorTokens,
    clock,
  });
  const authService = createAuthService({
    db: databases.login,
    auditDb: databases.audit,
    refreshDb: databases.refresh,
    limiter,
    signer,
    identify,
    clock,
    hashing: new FairQueue(HASHING),
    turns: createLoginTurns(),
    recentNetworks: new RecentNetworks(),
    recentRefunds: new RecentRefunds(),
    networkDigests: createNetworkDigests(keys),
    ipv6PrefixBits: config.limiter.ipv6PrefixBits,
    refreshTokens: createRefreshTokens(prepared.refreshTokenKey),
    unnamedTokens: createUnnamedTokens(databases.refresh, clock, prepared.lastUnnamedTokenAtMs),
    dummyHash: await hashPassword("nobody's password"),
    warn: createBoundedWarning(log, clock),
    isAlwaysClosed: config.isLoginAlwaysClosed,
    accessTokenTtlMs: config.accessTokenTtlMs,
  });
  const datasourceService = createDatasourceService({
    db: databases.datasources,
    administrationDb: databases.administration,
    limiter,
    signer,
    identify,
    clock,
    datasourceTokenTtlMs: config.datasourceTokenTtlMs,
  });
  const { mintToken, mintTokens, revokeToken, put } = datasourceService;
  const credentials = { operator: config.operatorTokens };
  // The caller first: a wrong credential counts as one, whatever else is wrong with its request.
  const requestChecks = [
    createActorInterceptor({ signer, clock, credentials }),
    createRequestRules([AuthService, DatasourceService]),
  ];
  const internalRoutes = createInternalRoutes({
    // Our own services do not come through the proxies, so that no header of theirs is missing.
    identify: ({ remote }) => derive(remote, [], 0),
    handlers: createGatewayHandlers({
      introspectionDb: databases.introspection,
      revocationsDb: databases.revocations,
      ...{ limiter, gatewayLimiter, signer, clock },
    }),
    log,
  });
  const { auditKeptMs } = config;
  const retention = startRetention(databases.administration, { log, clock, auditKeptMs });
  const health = createDatabaseHealth(databases.administration);
  const callers = { gateway: config.gatewayTokens, operator: config.operatorTokens };
  const server = await serve({
    door: "auth",
    kind: "public",
    policies: PUBLIC_DOOR,
    callers,
    trust: config.trust,
    host: config.listen.host,
    port: config.listen.port,
    log,
    routes: (router) => {
      router.service(AuthService, authService);
      router.service(DatasourceService, { mintToken, mintTokens, revokeToken });
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
      createTelemetryInterceptor({ trustTraceContext: false }),
      retryAfterInterceptor,
      createErrorInterceptor(log),
      createWrongCredentialsInterceptor({ limiter, identify }),
      ...requestChecks,
    ],
    httpRoutes: { ...internalRoutes, "GET /.well-known/jwks.json": createJwksRoute(keys) },
    before: createCors(config.allowedOrigins),
    probes,
  });
  const adminServer = await serve({
    door: "auth-admin",
    kind: "internal",
    policies: ADMIN_DOOR,
    callers,
    trust: config.trust,
    host: config.listen.host,
    port: config.adminPort,
    log,
    routes: (router) => router.service(DatasourceService, { put }),
    interceptors: [
      createTelemetryInterceptor({ trustTraceContext: true }),
      retryAfterInterceptor,
      createErrorInterceptor(log),
      ...requestChecks,
    ],
    dependencies: () => ({ postgres: health.state() }),
  });

  return {
    port: server.port,
    async stop() {
      await Promise.all([server.stop(), adminServer.stop()]);
      health.stop();
      await retention.stop();
      limiter.close();
      gatewayLimiter.close();
      failureModeAudit.stop();
      await databases.end();
    },
  };
}
