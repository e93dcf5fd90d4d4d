import { LimiterService, NoDecisionSchema } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { createBoundedWarning } from "../runtime/bounded-warning.ts";
import { configHash, policiesHash } from "../runtime/config-hash.ts";
import { announceConfig } from "../runtime/config-info.ts";
import { identityRoutes } from "../runtime/identity-service.ts";
import {
  createDeadlineInterceptor,
  createErrorInterceptor,
  createTelemetryInterceptor,
} from "../runtime/interceptors.ts";
import { readTextFile } from "../runtime/read-text-file.ts";
import type { RunningService, ServiceContext } from "../runtime/run-service.ts";
import { serve } from "../runtime/serve.ts";
import type { Config } from "./config.ts";
import { BucketDirectory } from "./decisions/bucket-directory.ts";
import { Limiter } from "./decisions/limiter.ts";
import { DOOR } from "./doors.ts";
import { Engine } from "./engine/engine.ts";
import { createEvents } from "./events.ts";
import { createLimiterService } from "./rpc/service.ts";
import { readPoliciesFile } from "./rules/policies-file.ts";
import { longestPeriodMs } from "./rules/policy.ts";
import { saltFingerprint } from "./store/key-digest.ts";
import { openStore } from "./store/open-store.ts";
import { startSweeper } from "./store/sweeper.ts";

/** How far a waiting request may outlive its deadline before it is noticed. */
const DEADLINE_SLACK_MS = 20;
/** Writing the answers to a large batch is no waiting, and still below what callers wait. */
const ANSWER_SLACK_MS = 150;

/** Starts the limiter. A failing database never ends a started limiter. */
export async function start(config: Config, context: ServiceContext): Promise<RunningService> {
  const { log, clock } = context;
  const policies = await readPoliciesFile(readTextFile, config.policiesFile, config);
  const { store, schemaVersion, durability } = await openStore(config, {
    log,
    clock,
    longestPeriodMs: Math.max(...[...policies.values()].map(longestPeriodMs)),
  });
  const runningWith = {
    release: context.release,
    policiesHash: policiesHash(policies),
    keyFingerprints: config.salts.map(saltFingerprint),
  };
  const hash = configHash(config, runningWith);
  announceConfig("limiter", config.trust.hops, hash);
  const warn = createBoundedWarning(log, clock);
  const engine = new Engine(store, {
    createEvents: (queueDepth) => createEvents(policies, queueDepth),
    onFailure: (error) =>
      warn("flush", "a flush failed; its requests got no decision", { err: error }),
  });
  const { salts, ipv6PrefixBits, decisionTimeoutMs } = config;
  const service = createLimiterService({
    limiter: new Limiter({ engine, waitMs: decisionTimeoutMs - DEADLINE_SLACK_MS }),
    directory: new BucketDirectory({ policies, salts, ipv6PrefixBits }),
    salts,
    onReset: (caller, policy, reset) =>
      warn("reset", "a bucket was reset", { caller, policy, reset }),
    info: {
      backend: config.backend,
      schemaVersion,
      saltFingerprint: saltFingerprint(salts[0]),
      get durability() {
        return durability();
      },
    },
  });
  const sweeper = startSweeper(store, (error) =>
    warn("sweep", "expired rows could not be deleted", { err: error }),
  );
  const identity = {
    trust: config.trust,
    // The limiter decides or does not; what that means is for its callers to say.
    failureMode: () => "fail-closed",
    backend: config.backend,
    configHash: hash,
    runningWith,
  };
  const server = await serve({
    door: "limiter",
    kind: "internal",
    policies: DOOR,
    callers: config.credentials,
    trust: config.trust,
    // Whoever is told 429 takes it for the limit of a client of its own.
    overShareStatus: 503,
    host: config.listen.host,
    port: config.listen.port,
    log,
    routes: (router) => {
      router.service(LimiterService, service);
      identityRoutes(router, identity);
    },
    interceptors: [
      createTelemetryInterceptor({ trustTraceContext: true }),
      createErrorInterceptor(log),
      // The database was given up before: only a process with too much to do gets here.
      createDeadlineInterceptor(decisionTimeoutMs + ANSWER_SLACK_MS, [
        { desc: NoDecisionSchema, value: { reason: "overloaded" } },
      ]),
    ],
    dependencies: () => ({ [config.backend]: engine.isFailing ? "failing" : "ok" }),
  });

  return {
    async stop() {
      await server.stop();
      await engine.drain();
      await sweeper.stop();
      await store.close();
    },
  };
}
