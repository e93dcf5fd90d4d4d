import { createEnvReader, type Environment } from "../../services/runtime/env.ts";
import { readPort } from "../../services/runtime/listen-config.ts";

export type UpConfig = ReturnType<typeof readUpConfig>;

/** The variable that sets a port, and the process that listens on it. */
export type PortName = keyof typeof SERVICE_PORTS;

/** The ports of the services, with their defaults. */
export const SERVICE_PORTS = {
  AUTH_PORT: 4001,
  AUTH_ADMIN_PORT: 4005,
  LIMITER_PORT: 4002,
  GATEWAY_PORT: 8001,
  GATEWAY_RPC_PORT: 8002,
  AUTH_METRICS_PORT: 9464,
  LIMITER_METRICS_PORT: 9465,
  GATEWAY_METRICS_PORT: 9466,
} as const;

/** Long enough to see that a service is down and that the others refuse requests. */
const RESTART_DELAY = { min: 0, max: 3_600_000, default: 3_000 };

/** The settings of `npm start` itself; each service reads its own. */
export function readUpConfig(environment: Environment) {
  const env = createEnvReader(environment);
  const port = (name: PortName) => readPort(env, name, SERVICE_PORTS[name]);
  return env.finish({
    /** The folder of the embedded Postgres. */
    folder: env.text("PORTCULLIS_DIR", ".portcullis"),
    /** The external database; undefined starts the embedded Postgres. */
    databaseUrl: env.optional("DATABASE_URL"),
    /** 0 takes any free port. */
    postgresPort: readPort(env, "POSTGRES_PORT", 0),
    /** How long a dead child stays down before it is restarted; 0 never restarts it. */
    restartDelayMs: env.integer("UP_RESTART_DELAY_MS", RESTART_DELAY),
    /** Of several tokens, the first is sent. */
    publisherToken: env.list("PUBLISHER_SERVICE_TOKEN")[0] ?? "development-publisher-token",
    ports: {
      AUTH_PORT: port("AUTH_PORT"),
      AUTH_ADMIN_PORT: port("AUTH_ADMIN_PORT"),
      LIMITER_PORT: port("LIMITER_PORT"),
      GATEWAY_PORT: port("GATEWAY_PORT"),
      GATEWAY_RPC_PORT: port("GATEWAY_RPC_PORT"),
      AUTH_METRICS_PORT: port("AUTH_METRICS_PORT"),
      LIMITER_METRICS_PORT: port("LIMITER_METRICS_PORT"),
      GATEWAY_METRICS_PORT: port("GATEWAY_METRICS_PORT"),
    },
  });
}
