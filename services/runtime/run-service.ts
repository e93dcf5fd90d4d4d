import type { ProxyTrust } from "./client-identity.ts";
import { type Clock, systemClock } from "./clock.ts";
import { announceRelease } from "./config-info.ts";
import { ConfigError, type Environment } from "./env.ts";
import type { ListenConfig } from "./listen-config.ts";
import { createLogger, type Logger } from "./log.ts";
import { findRelease, type Release } from "./release.ts";
import { startTelemetry } from "./telemetry.ts";
import { warnOfUnnamedProxies } from "./unnamed-proxies.ts";

/** A started service. */
export type RunningService = { stop(): Promise<void> };

/** What `start()` of every service receives beside its configuration. */
export type ServiceContext = { log: Logger; clock: Clock; release: Release };

/** A process that has not stopped by then exits at once, so that no supervisor has to kill it. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * The life of a service process: reads the configuration (or exits and names every problem), starts
 * telemetry, then loads and starts the service, and stops it on SIGTERM or SIGINT.
 */
export async function runService<C extends { listen: ListenConfig; trust: ProxyTrust }>(options: {
  name: string;
  environment: Environment;
  readConfig: (environment: Environment) => C;
  /** Called once telemetry has started, so that telemetry covers what the service imports. */
  load: () => Promise<{ start(config: C, context: ServiceContext): Promise<RunningService> }>;
  /**
   * Whether the process always knows which call it serves, for logs and for calls to other
   * services. Tracking this through every promise costs the cheapest calls a fifth of their time.
   * If false, calls are tracked only while traces are exported.
   */
  followsCalls: boolean;
}): Promise<void> {
  const config = readConfigOrExit(options);
  const { log, output } = createLogger(options.name, config.listen.logLevel);
  const exit = async (code: number) => {
    await output.settled();
    process.exit(code);
  };
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
    stopOnSignal({ log, exit }, async () => {
      await service.stop();
      await telemetry.stop();
    });
  } catch (error) {
    log.fatal({ err: error }, `${options.name} could not start: ${messageOf(error)}`);
    await exit(1);
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

function stopOnSignal(
  { log, exit }: { log: Logger; exit: (code: number) => Promise<void> },
  stop: () => Promise<void>,
): void {
  let stopping = false;
  const begin = (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    void stop().then(
      () => exit(0),
      (error) => {
        log.error({ err: error }, "stopping failed");
        return exit(1);
      },
    );
  };
  process.on("SIGTERM", begin);
  process.on("SIGINT", begin);
}
