import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JOURNEY_STEPS, takeJourney } from "../../tools/rollout/judge/journey.ts";
import { POSITIONS } from "../../tools/rollout/state/rollout-state.ts";
import { canRun } from "../edge/can-run.ts";
import { eventually } from "../fixtures/eventually.ts";
import { canRunPrometheus } from "../rollout-judge/prometheus.ts";
import { type Machine, startMachine } from "./machine.ts";
import type { CliAnswer } from "./rollout-cli.ts";
import { readSmokeAccount } from "./smoke-target.ts";

/** Time for a canary and the stages before it, on a busy machine. */
const CHAPTER_TIMEOUT_MS = 300_000;
/** A canary measures the latency of decisions; a busy machine may need another try. */
const PATIENCE_MS = 150_000;
/** The confirmation timeout, a restart of nginx, and the slowness of the machine. */
const ROLLED_BACK_TIMEOUT_MS = 30_000;

/** If set, the test checks a running deployment through its edge, and starts nothing. */
const { SMOKE_EDGE_URL: edgeUrl = "" } = process.env;

test.runIf(edgeUrl !== "")(
  "a user signs in, connects and subscribes at SMOKE_EDGE_URL",
  async () => {
    const results = await takeJourney({ edgeUrl, ...readSmokeAccount(process.env) });
    expect(results).toEqual(
      JOURNEY_STEPS.map((step) => expect.objectContaining({ step, kind: "done" })),
    );
  },
);

const isStory = edgeUrl === "" && canRun("nginx") && canRunPrometheus();

// One story: each test starts where the previous one ended.
describe.runIf(isStory)("the runbook on one machine", () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await startMachine();
  }, CHAPTER_TIMEOUT_MS);
  afterAll(async () => await machine?.stop(), CHAPTER_TIMEOUT_MS);

  test("preflight refuses to raise the hops before the edge writes the header", async () => {
    const answer = await machine.rollout.run("preflight");
    expect(answer.verdict).toBe("fail");
    expect(find(answer, "edge.header.auth")).toMatchObject({ verdict: "fail" });
    expect(find(answer, "edge.header.gateway").mend).toContain("only then raise the hops");
  });

  test("the program killed in the middle of a stage: the timer takes the edge back", async () => {
    const quick = (await readConfig()).replace("deadManSeconds: 120", "deadManSeconds: 3");
    await writeFile(join(machine.directory, "quick.yaml"), quick);
    const cli = machine.rollout.start("stage", "next", "--config", "quick.yaml");
    await eventually(async () => {
      expect(await readState()).toMatchObject({ touched: ["proxy"] });
    }, ROLLED_BACK_TIMEOUT_MS);
    cli.kill("SIGKILL");
    await once(cli, "exit");
    await eventually(async () => {
      expect(await readState()).toMatchObject({
        position: "baseline",
        activity: { kind: "settled" },
      });
    }, ROLLED_BACK_TIMEOUT_MS);
    const file = (name: string) => readFile(join(machine.directory, name), "utf8");
    expect(await file("nginx.conf")).toBe(await file("nginx.baseline.conf"));
  });

  test(
    "every stage passes its judges, in order, and so does the canary",
    async () => {
      await machine.waitForBaseline();
      for (const [index, stage] of ["proxy", "api", "gateway", "canary"].entries()) {
        // Only a stage that changes nothing may be retried.
        const patienceMs = stage === "canary" ? PATIENCE_MS : 0;
        await eventually(async () => {
          const answer = await machine.rollout.run("stage", "next", stage);
          expect(answer, answer.text).toMatchObject({ exitCode: 0, verdict: "pass" });
        }, patienceMs);
        expect(await machine.rollout.run("stage", "confirm")).toMatchObject({
          exitCode: 0,
          json: { position: POSITIONS[index + 1] },
        });
      }
    },
    CHAPTER_TIMEOUT_MS,
  );

  test(
    "a gateway with wrong hops is refused by the gates, and the way back is exact",
    async () => {
      await machine.edit("gateway.env", { REALTIME_TRUST_PROXY_HOPS: "2" });
      await machine.deploy("gateway", "gateway.env");
      const canary = await machine.rollout.run("canary");
      expect(canary).toMatchObject({ exitCode: 1, verdict: "fail" });
      expect(find(canary, "canary.identity").observed).toContain("fewer_entries");

      const rollback = await machine.rollout.run("rollback", "--to", "api");
      expect(rollback, rollback.text).toMatchObject({ exitCode: 0, verdict: "pass" });
      expect(ids(rollback)).toEqual([
        "identity.restored.auth",
        "identity.restored.limiter",
        "identity.restored.gateway",
      ]);
      // With the same mistake, the stage fails before it waits for confirmation.
      const staged = await machine.rollout.run("stage", "next", "gateway");
      expect(staged).toMatchObject({ exitCode: 1, json: { kind: "rolled-back" } });
      expect(find(staged, "identity.hops.gateway")).toMatchObject({ verdict: "fail" });
      expect(find(staged, "hops.aligned")).toMatchObject({ verdict: "fail" });
      expect(await readState()).toMatchObject({
        position: "api",
        touched: ["proxy", "limiter", "auth"],
      });

      await machine.edit("gateway.env", { REALTIME_TRUST_PROXY_HOPS: "1" });
      const mended = await machine.rollout.run("stage", "next", "gateway");
      expect(mended, mended.text).toMatchObject({ exitCode: 0 });
      await machine.rollout.run("stage", "confirm");
    },
    CHAPTER_TIMEOUT_MS,
  );

  test(
    "a limiter whose database is gone fails the canary, and the defaults are restored",
    async () => {
      await machine.newDatabase.kill9();
      const canary = await machine.rollout.run("stage", "next", "canary");
      expect(canary).toMatchObject({ exitCode: 1, json: { kind: "rolled-back" } });
      expect(find(canary, "canary.login")).toMatchObject({
        verdict: "fail",
        observed: "status 503",
      });

      const rollback = await machine.rollout.run("rollback");
      expect(rollback, rollback.text).toMatchObject({
        exitCode: 0,
        verdict: "pass",
        json: { to: "baseline", takenBack: ["gateway", "auth", "limiter", "proxy"] },
      });
      await eventually(async () => {
        const restored = await machine.rollout.run("restore-defaults");
        expect(restored, restored.text).toMatchObject({ exitCode: 0, verdict: "pass" });
        expect(ids(restored)).toEqual(
          expect.arrayContaining(["identity.restored.limiter", "canary.login", "canary.connect"]),
        );
      }, PATIENCE_MS);
      expect(await readState()).toEqual({
        position: "baseline",
        touched: [],
        activity: { kind: "settled" },
      });
    },
    CHAPTER_TIMEOUT_MS,
  );

  test("the evidence holds, and no longer does after one byte is changed", async () => {
    const written = await machine.rollout.run("evidence");
    const head = String(written.json["head"]);
    for (const name of ["rollout-evidence.json", "rollout-evidence.html"]) {
      const verify = () => machine.rollout.run("evidence", "verify", name, "--head", head);
      expect(await verify(), name).toMatchObject({ exitCode: 0 });
      const file = join(machine.directory, name);
      const bytes = await readFile(file);
      const lie = bytes.indexOf("status 503") + "status ".length;
      bytes.write("2", lie);
      await writeFile(file, bytes);
      expect(await verify(), name).toMatchObject({ exitCode: 1 });
    }
    const report = await readFile(join(machine.directory, "rollout-evidence.json"), "utf8");
    const environment = await readFile(join(machine.directory, "baseline.env"), "utf8");
    const secrets = [...environment.matchAll(/_(?:TOKEN|SALT)=(.+)/g)].map(([, value]) => value);
    expect(secrets.length).toBeGreaterThan(3);
    for (const secret of secrets) expect(report).not.toContain(secret);
  });

  async function readState(): Promise<unknown> {
    const text = await readFile(join(machine.directory, "state/journal.json"), "utf8");
    return JSON.parse(text).state;
  }

  async function readConfig(): Promise<string> {
    return await readFile(join(machine.directory, "rollout.yaml"), "utf8");
  }
});

function find({ checks, text }: CliAnswer, id: string) {
  const check = checks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(`there is no check ${id} among:\n${text}`);
  return check;
}

function ids({ checks }: CliAnswer): readonly string[] {
  return checks.map(({ id }) => id);
}
