import { createEnvReader, type Environment } from "../../services/runtime/env.ts";
import { readPort } from "../../services/runtime/listen-config.ts";

export type UpConfig = ReturnType<typeof readUpConfig>;

/** Which variable sets a port, and who listens on it. */
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

/** Long enough to see that a service is down and that the others refuse meanwhile. */
const RESTART_DELAY = { min: 0, max: 3_600_000, default: 3_000 };

/** What `npm start` itself reads; the services read the rest. */
export function readUpConfig(environment: Environment) {
  const env = createEnvReader(environment);
  const port = (name: PortName) => readPort(env, name, SERVICE_PORTS[name]);
  return env.finish({
    /** Where the embedded Postgres keeps its data. */
    folder: env.text("PORTCULLIS_DIR", ".portcullis"),
    /** An external database; without one, Postgres is started too. */
    databaseUrl: env.optional("DATABASE_URL"),
    /** 0 takes any free port. */
    postgresPort: readPort(env, "POSTGRES_PORT", 0),
    /** How long a child that died stays down; 0 for good. */
    restartDelayMs: env.integer("UP_RESTART_DELAY_MS", RESTART_DELAY),
    /** The first one is presented. */
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
