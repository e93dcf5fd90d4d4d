import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STAGES, type Stage } from "../../tools/rollout/state/rollout-state.ts";
import { canRun } from "../edge/can-run.ts";
import { type Machine, startMachine } from "../smoke/machine.ts";
import type { CliAnswer } from "../smoke/rollout-cli.ts";
import { startClients } from "./many-clients.ts";
import { canRunPrometheus } from "./prometheus.ts";

/** A rollout restarts everything, which takes long on a busy machine. */
const ROLLOUT_TIMEOUT_MS = 240_000;
/** These gates depend on how busy the test machine is. */
const SPEED_GATES = new Set(["gate.limiter.p99", "gate.event-loop"]);
const SPEED_ATTEMPTS = 5;
const SERVICES = ["limiter", "auth", "gateway"] as const;
const CANARY_SECONDS = 5;
const CLIENTS_SETTLE_MS = 2_000 * CANARY_SECONDS;

type Honest = {
  release: string;
  clients: number;
  /** Variables that the release sets in every environment file. */
  variables?: Readonly<Record<string, string>>;
  /** The limit in the release's policies file, if it changes. */
  limits?: number;
  /** The stage after which the rollout is taken back once and staged again. */
  restagedFrom?: Stage;
};

/** Run in this order; each starts from what the one before left. */
const HONEST: readonly Honest[] = [
  { release: "hops", clients: 20 },
  { release: "few clients", clients: 2 },
  { release: "many clients", clients: 40 },
  { release: "limits", clients: 20, limits: 70_000 },
  { release: "2.0.0", clients: 20, variables: { RELEASE_REVISION: "aaaaaaa" } },
  { release: "restaged", clients: 20, restagedFrom: "api", limits: 80_000 },
  { release: "2.1.0", clients: 20, variables: { RELEASE_REVISION: "bbbbbbb" } },
  { release: "short sessions", clients: 20, variables: { ACCESS_TOKEN_TTL_SECONDS: "300" } },
  { release: "restaged late", clients: 3, restagedFrom: "gateway" },
  {
    release: "everything",
    clients: 20,
    limits: 90_000,
    variables: { RELEASE_REVISION: "ccccccc" },
  },
];

describe.runIf(canRun("nginx") && canRunPrometheus())("ten honest rollouts in a row", () => {
  let machine: Machine;
  let clients: ReturnType<typeof startClients> | undefined;
  beforeAll(async () => {
    // The machine's own users open and close websockets meanwhile.
    machine = await startMachine();
    await writeLimits(60_000);
    const policies = { LIMITER_POLICIES_FILE: at("policies.60000.yaml") };
    for (const file of ["baseline.env", ...SERVICES.map(fileOf)])
      await machine.edit(file, policies);
    for (const service of SERVICES) await machine.deploy(service, "baseline.env");
    await copyAll("baseline.env");
    await writeFile(at("rollout.yaml"), await configWithOwnWaysBack());
  }, ROLLOUT_TIMEOUT_MS);
  afterAll(async () => {
    await clients?.stop();
    await machine?.stop();
  }, ROLLOUT_TIMEOUT_MS);

  test.each(HONEST)(
    "$release, with $clients clients, passes without a false alarm",
    async (honest) => {
      await clients?.stop();
      clients = startClients(machine.edgeUrl, honest.clients);
      await machine.waitForBaseline();
      // The traffic of earlier clients must not become the baseline of these.
      await sleep(CLIENTS_SETTLE_MS);
      const begun = await machine.rollout.run("begin", "--release", honest.release);
      expect(begun, begun.text).toMatchObject({ exitCode: 0 });
      await change(honest);
      if (honest.restagedFrom !== undefined) await takeBackFrom(honest.restagedFrom);
      for (const stage of STAGES) await keep(stage);
      await copyAll();
    },
    ROLLOUT_TIMEOUT_MS,
  );

  async function change({ variables = {}, limits }: Honest): Promise<void> {
    if (limits !== undefined) await writeLimits(limits);
    const policies =
      limits === undefined ? {} : { LIMITER_POLICIES_FILE: at(`policies.${limits}.yaml`) };
    for (const service of SERVICES) {
      await machine.edit(fileOf(service), { ...variables, ...policies });
    }
  }

  async function keep(stage: Stage): Promise<void> {
    const answer = await stageUntilFast(stage);
    expect(answer, answer.text).toMatchObject({ exitCode: 0, verdict: "pass" });
    const confirmed = await machine.rollout.run("stage", "confirm");
    expect(confirmed, confirmed.text).toMatchObject({ exitCode: 0 });
  }

  /** Retries a stage that only speed gates failed. A canary changes nothing, so a retry is safe. */
  async function stageUntilFast(stage: Stage): Promise<CliAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await machine.rollout.run("stage", "next", stage);
      const bad = answer.checks.filter(({ verdict }) => verdict !== "pass");
      const isSlow = bad.length > 0 && bad.every(({ id }) => SPEED_GATES.has(id));
      if (!isSlow || attempt === SPEED_ATTEMPTS) return answer;
      await machine.rollout.run("rollback", "--to", "gateway");
    }
  }

  async function takeBackFrom(last: Stage): Promise<void> {
    for (const stage of STAGES.slice(0, STAGES.indexOf(last) + 1)) await keep(stage);
    const restored = await machine.rollout.run("rollback");
    expect(restored, restored.text).toMatchObject({ exitCode: 0, verdict: "pass" });
  }

  /** Saves the current files as the rollback target of the next rollout. */
  async function copyAll(file?: string): Promise<void> {
    for (const service of SERVICES)
      await copyFile(at(file ?? fileOf(service)), at(`${service}.old`));
    await copyFile(at("nginx.conf"), at("nginx.baseline.conf"));
  }

  async function configWithOwnWaysBack(): Promise<string> {
    const text = await readFile(at("rollout.yaml"), "utf8");
    return text
      .replaceAll(/restart (\w+) baseline\.env/g, "restart $1 $1.old")
      .replace("  proxy:\n", "  proxy:\n    judges: [identity]\n")
      .replace("  api:\n", "  api:\n    judges: [identity]\n")
      .replace("  gateway: { apply", "  gateway: { judges: [identity, preflight, align], apply")
      .replace(/durationSeconds: \d+/, `durationSeconds: ${CANARY_SECONDS}`);
  }

  /** Before the hops are raised, users and canary share one address; no limit must stop them. */
  async function writeLimits(limit: number): Promise<void> {
    const yaml = await readFile("services/limiter/policies.yaml", "utf8");
    const lines = yaml.split("\n").map((line) => {
      const isCapped = line.includes("concurrency");
      return isCapped ? line : line.replaceAll(/limit: \d+/g, `limit: ${limit}`);
    });
    await writeFile(at(`policies.${limit}.yaml`), lines.join("\n"));
  }

  function at(file: string): string {
    return join(machine.directory, file);
  }

  function fileOf(service: string): string {
    return `${service}.env`;
  }
});
