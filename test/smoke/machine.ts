import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { expect } from "vitest";
import { queryPrometheus } from "../../tools/rollout/judge/query-prometheus.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase, type OwnPostgres, startPostgres } from "../fixtures/postgres.ts";
import {
  type ServiceName,
  type ServiceProcess,
  startServiceProcess,
} from "../fixtures/service-process.ts";
import {
  DEMO_ACCOUNT,
  findAddresses,
  healthUrlOf,
  PATIENCE,
  type ServiceUrls,
} from "../fixtures/services.ts";
import { startPrometheus } from "../rollout-judge/prometheus.ts";
import { baselineNginx, createNginx } from "./nginx.ts";
import { type Cli, createCli } from "./rollout-cli.ts";
import { startUsers } from "./users.ts";

/** One machine with a whole system, its edge, its metrics and the operator's commands. */
export type Machine = {
  directory: string;
  edgeUrl: string;
  urls: ServiceUrls;
  rollout: Cli;
  /** Restarts one service with an environment file, like a manual deployment. */
  deploy(service: ServiceName, file: string): Promise<void>;
  /** Adds variables to an environment file. */
  edit(file: string, variables: Readonly<Record<string, string>>): Promise<void>;
  /** Writes a copy of an environment file with some values changed. */
  copyEnv(file: string, copy: string, variables: Readonly<Record<string, string>>): Promise<void>;
  /** Waits until Prometheus has seen the users' traffic, before anything is changed. */
  waitForBaseline(): Promise<void>;
  /** The database of the limiter's new release. */
  newDatabase: OwnPostgres;
  stop(): Promise<void>;
};

/** Short times for a short test; a real canary takes at least ten minutes. */
const CANARY_SECONDS = 12;
const CANARY_REQUESTS = 6;
const BASELINE_TIMEOUT_MS = 60_000;
const SERVICES = ["limiter", "auth", "gateway"] as const;

/** Starts everything with hops 0 behind a hand-written edge. */
export async function startMachine(): Promise<Machine> {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-smoke-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of stops.toReversed()) await step();
  };
  try {
    return await start(directory, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  directory: string,
  stops: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Machine> {
  const newDatabase = await startPostgres();
  stops.push(newDatabase.stop);
  const addresses = await findAddresses();
  const { urls } = addresses;
  const token = () => randomBytes(24).toString("hex");
  const operatorToken = token();
  const baseline = {
    NODE_ENV: "test",
    DATABASE_URL: await createTestDatabase("smoke"),
    ...addresses.environment,
    ...PATIENCE,
    GATEWAY_SERVICE_TOKEN: token(),
    AUTH_SERVICE_TOKEN: token(),
    PUBLISHER_SERVICE_TOKEN: token(),
    OPERATOR_SERVICE_TOKEN: operatorToken,
    SECURITY_LIMITER_HASH_SALT: token(),
  };
  const hops = { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" };
  const write = (file: string, environment: Readonly<Record<string, string>>) =>
    writeFile(join(directory, file), envText(environment));
  await write("baseline.env", baseline);
  await write("auth.env", { ...baseline, ...hops });
  await write("gateway.env", { ...baseline, ...hops });
  // The new release uses a separate database for its buckets.
  await write("limiter.env", { ...baseline, ...hops, DATABASE_URL: newDatabase.url });

  const services = await startServices(urls, baseline);
  stops.push(() => Promise.all([...services.values()].map((service) => service.stop())));
  const deploy = async (service: ServiceName, file: string) => {
    const variables = parseEnv(await readFile(join(directory, file), "utf8"));
    const environment = Object.fromEntries(
      Object.entries(variables).map(([name, value = ""]) => [name, value]),
    );
    await services.get(service)?.stop();
    services.set(
      service,
      await startServiceProcess({
        name: service,
        url: healthUrlOf(urls, service),
        environment,
      }),
    );
  };

  const edgePort = await findFreePort();
  const edgeUrl = `http://127.0.0.1:${edgePort}`;
  await writeFile(join(directory, "nginx.baseline.conf"), baselineNginx(urls, edgePort));
  await writeFile(join(directory, "nginx.conf"), baselineNginx(urls, edgePort));
  await writeFile(join(directory, "edge.yaml"), edgeYaml(urls, edgePort));
  const nginx = await createNginx(directory, edgeUrl);
  stops.push(nginx.stop);

  const control = await startControl({ deploy, reloadEdge: nginx.restart });
  stops.push(control.stop);
  await writeOperatorScript(directory, control.url);
  const prometheus = await startPrometheus(addresses.metricsUrls);
  stops.push(prometheus.stop);
  const users = startUsers(edgeUrl);
  stops.push(users.stop);
  await writeFile(
    join(directory, "rollout.yaml"),
    rolloutYaml({ edgeUrl, urls, prometheusUrl: prometheus.url }),
  );
  const rollout = createCli(directory, {
    PATH: process.env["PATH"],
    OPERATOR_SERVICE_TOKEN: operatorToken,
    CANARY_PASSWORD: DEMO_ACCOUNT.password,
  });
  stops.push(rollout.stop);
  const copyEnv: Machine["copyEnv"] = async (file, copy, variables) => {
    const text = await readFile(join(directory, file), "utf8");
    await writeFile(join(directory, copy), `${text}${envText(variables)}`);
  };
  const edit: Machine["edit"] = (file, variables) => copyEnv(file, file, variables);
  const waitForBaseline = async () => {
    const query = `sum(increase(portcullis_client_ip_derivations_total[${CANARY_SECONDS}s]))`;
    await eventually(async () => {
      const answer = await queryPrometheus(prometheus.url, query, new Date());
      expect(answer).toMatchObject({ kind: "value" });
      expect(answer.kind === "value" && answer.value).toBeGreaterThan(2 * CANARY_REQUESTS);
    }, BASELINE_TIMEOUT_MS);
  };
  return {
    directory,
    edgeUrl,
    urls,
    rollout,
    deploy,
    edit,
    copyEnv,
    waitForBaseline,
    newDatabase,
    stop,
  };
}

async function startServices(
  urls: ServiceUrls,
  environment: Readonly<Record<string, string>>,
): Promise<Map<ServiceName, ServiceProcess>> {
  const started = await Promise.all(
    SERVICES.map((name) =>
      startServiceProcess({ name, url: healthUrlOf(urls, name), environment }),
    ),
  );
  return new Map(started.map((service) => [service.name, service]));
}

/** Stands in for systemd or compose: restarts services independently of the rollout. */
async function startControl(machine: {
  deploy(service: ServiceName, file: string): Promise<void>;
  reloadEdge(): Promise<void>;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const [, action = "", file = ""] = (request.url ?? "").split("/");
    const service = SERVICES.find((name) => name === action);
    try {
      await (service === undefined ? machine.reloadEdge() : machine.deploy(service, file));
      response.end(`${action} ${file} is running\n`);
    } catch (error) {
      response.writeHead(500).end(`${error instanceof Error ? error.message : error}\n`);
    }
  });
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** `./restart gateway gateway.env`, `./restart edge`. */
async function writeOperatorScript(directory: string, controlUrl: string): Promise<void> {
  const script = `#!/bin/sh
exec ${process.execPath} -e '
  fetch("${controlUrl}/" + process.argv.slice(1).join("/")).then(async (answer) => {
    process.stdout.write(await answer.text());
    process.exitCode = answer.ok ? 0 : 1;
  });
' "$@"
`;
  await writeFile(join(directory, "restart"), script);
  await chmod(join(directory, "restart"), 0o755);
}

function rolloutYaml(deployment: { edgeUrl: string; urls: ServiceUrls; prometheusUrl: string }) {
  const { edgeUrl, urls, prometheusUrl } = deployment;
  const render = `${process.execPath} ${join(process.cwd(), "dist/tools/edge/main.js")} render`;
  return `edge: { url: "${edgeUrl}", config: [rendered.conf], topology: direct }
services:
  auth: { url: "${urls.auth}", envFile: auth.env }
  limiter: { url: "${urls.limiter}", envFile: limiter.env }
  gateway: { url: "${urls.gateway}", envFile: gateway.env }
prometheus: { url: "${prometheusUrl}" }
canary:
  account: { email: ${DEMO_ACCOUNT.email}, passwordEnv: CANARY_PASSWORD }
  durationSeconds: ${CANARY_SECONDS}
  minRequests: ${CANARY_REQUESTS}
stages:
  proxy:
    apply: |
      ${render} --proxy nginx edge.yaml > rendered.conf &&
      sed 's#^http {#http { include temporary.conf;#' rendered.conf > nginx.conf && ./restart edge
    rollback: cp nginx.baseline.conf nginx.conf && ./restart edge
  api:
    limiter: { apply: ./restart limiter limiter.env, rollback: ./restart limiter baseline.env }
    auth: { apply: ./restart auth auth.env, rollback: ./restart auth baseline.env }
  gateway: { apply: ./restart gateway gateway.env, rollback: ./restart gateway baseline.env }
deadManSeconds: 120
stateDir: state
`;
}

function edgeYaml(urls: ServiceUrls, port: number): string {
  return `listen: ["127.0.0.1:${port}"]
upstreams:
  auth: ["${new URL(urls.auth).host}"]
  gateway: ["${new URL(urls.gateway).host}"]
`;
}

function envText(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
