import type { ProxyTrust } from "./client-identity.ts";
import { type Clock, systemClock } from "./clock.ts";
import { announceRelease } from "./config-info.ts";
import { ConfigError, type Environment } from "./env.ts";
import type { ListenConfig } from "./listen-config.ts";
import { createLogger, type Logger } from "./log.ts";
import { findRelease, type Release } from "./release.ts";
import { startTelemetry } from "./telemetry.ts";
import { warnOfUnnamedProxies } from "./unnamed-proxies.ts";

/** What a started service can be asked to do. */
export type RunningService = { stop(): Promise<void> };

/** What every service is started with. */
export type ServiceContext = { log: Logger; clock: Clock; release: Release };

/** A stop that takes longer than this is ended by force, so that a supervisor need not. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * The life of a service process: read the configuration or refuse with every problem named, start
 * telemetry, only then load and start the service, and stop it on SIGTERM or SIGINT.
 */
export async function runService<C extends { listen: ListenConfig; trust: ProxyTrust }>(options: {
  name: string;
  environment: Environment;
  readConfig: (environment: Environment) => C;
  /** Imported after telemetry, so that what the service imports is measured. */
  load: () => Promise<{ start(config: C, context: ServiceContext): Promise<RunningService> }>;
  /**
   * Whether code must know which call it serves, for the logs and for calls to other services.
   * Following calls through every promise costs the cheapest ones a fifth of their time, so a service
   * that needs it for recorded traces only does without while nobody collects them.
   */
  followsCalls: boolean;
}): Promise<void> {
  const config = readConfigOrExit(options);
  const log = createLogger(options.name, config.listen.logLevel);
  try {
    const telemetry = await startTelemetry({
      service: options.name,
      host: config.listen.metricsHost,
      port: config.listen.metricsPort,
      environment: options.environment,
      followsCalls: options.followsCalls,
    });
    const release = findRelease(config.listen.revision);
    announceRelease(options.name, release);
    const { start } = await options.load();
    const service = await start(config, { log, clock: systemClock, release });
    warnOfUnnamedProxies(config, log);
    log.info({ config, release }, `${options.name} is serving`);
    stopOnSignal(log, async () => {
      await service.stop();
      await telemetry.stop();
    });
  } catch (error) {
    log.fatal({ err: error }, `${options.name} could not start: ${messageOf(error)}`);
    process.exit(1);
  }
}

function readConfigOrExit<C>(options: {
  name: string;
  environment: Environment;
  readConfig: (environment: Environment) => C;
}): C {
  try {
    return options.readConfig(options.environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${options.name}: ${error.message}\n`);
    return process.exit(1);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stopOnSignal(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const begin = (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    stop().then(
      () => process.exit(0),
      (error) => {
        log.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", begin);
  process.on("SIGINT", begin);
}
