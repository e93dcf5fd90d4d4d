import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../tools/up/free-port.ts";
import { type Answer, call } from "../fixtures/call.ts";
import { policiesTextWith } from "../fixtures/policies.ts";
import { type ServiceProcess, startServiceProcess } from "../fixtures/service-process.ts";

/** The operator's token in development. */
const OPERATOR_TOKEN = "development-operator-token";

/** A limiter as it runs in production, with policies of the test. */
export type LimiterProcess = {
  process: ServiceProcess;
  url: string;
  metricsUrl: string;
  /** Calls an RPC of LimiterService as the operator. */
  rpc(method: string, body: unknown, token?: string): Promise<Answer>;
  stop(): Promise<void>;
};

/** Starts a limiter on a database. */
export async function startLimiter(options: {
  databaseUrl: string;
  policies: Record<string, object>;
  environment?: Readonly<Record<string, string>>;
}): Promise<LimiterProcess> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-limiter-"));
  const policiesFile = join(folder, "policies.yaml");
  await writeFile(policiesFile, await policiesTextWith(options.policies));
  const port = await findFreePort();
  const metricsPort = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const process = await startServiceProcess({
    name: "limiter",
    url,
    environment: {
      NODE_ENV: "test",
      LOG_LEVEL: "warn",
      DATABASE_URL: options.databaseUrl,
      LIMITER_PORT: String(port),
      LIMITER_METRICS_PORT: String(metricsPort),
      LIMITER_POLICIES_FILE: policiesFile,
      ...options.environment,
    },
  });
  return {
    process,
    url,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    rpc: async (method, body, token = OPERATOR_TOKEN) =>
      await call(`${url}/portcullis.limiter.v1.LimiterService/${method}`, body, { token }),
    async stop() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
