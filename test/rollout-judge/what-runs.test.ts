import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJournal } from "../../tools/rollout/state/journal.ts";
import { canRun } from "../edge/can-run.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type Machine, startMachine } from "../smoke/machine.ts";
import type { CliAnswer } from "../smoke/rollout-cli.ts";
import { canRunPrometheus } from "./prometheus.ts";

const CHAPTER_TIMEOUT_MS = 240_000;
const AN_HOUR_MS = 3_600_000;
/** Covers the confirmation deadline, a service restart and a busy machine. */
const TOLD_TIMEOUT_MS = 120_000;

// These tests build on each other: each begins where the one before ended.
describe.runIf(canRun("nginx") && canRunPrometheus())(
  "what runs is judged, not what files say",
  () => {
    let machine: Machine;
    beforeAll(async () => {
      machine = await startMachine();
      const text = await readFile(at("rollout.yaml"), "utf8");
      // No test here waits for a canary to pass, so one second is enough.
      const quick = text
        .replace("  proxy:\n", "  proxy:\n    judges: [identity]\n")
        .replace("  api:\n", "  api:\n    judges: [identity]\n")
        .replace("  gateway: { apply", "  gateway: { judges: [identity], apply")
        .replace(/durationSeconds: \d+/, "durationSeconds: 1");
      const settings = [
        "endDegraded: { gateway: ./restart gateway baseline.env }",
        "notify: cat >> told",
      ];
      await writeFile(at("rollout.yaml"), `${quick}${settings.join("\n")}\n`);
      await writeFile(
        at("open.env"),
        `${await readFile(at("baseline.env"), "utf8")}${openGateway()}`,
      );
    }, CHAPTER_TIMEOUT_MS);
    afterAll(async () => await machine?.stop(), CHAPTER_TIMEOUT_MS);

    test(
      "a surface that was opened by hand stops preflight and every stage, and is never the baseline",
      async () => {
        await machine.deploy("gateway", "open.env");
        const preflight = await eventually(async () => {
          const found = await machine.rollout.run("preflight");
          expect(find(found, "failure-mode.replicas")).toMatchObject({ verdict: "fail" });
          return found;
        }, TOLD_TIMEOUT_MS);
        expect(find(preflight, "failure-mode.closed")).toMatchObject({
          verdict: "fail",
          observed: expect.stringContaining("gateway fail-open (its file says fail-closed)"),
        });
        expect(find(preflight, "running.gateway")).toMatchObject({ verdict: "fail" });
        const staged = await machine.rollout.run("stage", "next");
        expect(staged).toMatchObject({ exitCode: 1, json: { reason: "refused" } });
        expect(staged.text).toContain("gateway runs fail-open");
        expect(await readJournal(at("state/journal.json"))).toMatchObject({
          snapshots: {},
          state: { touched: [] },
        });
      },
      CHAPTER_TIMEOUT_MS,
    );

    test(
      "restore-defaults ends the degraded mode with the operator's command, and looks",
      async () => {
        const restored = await machine.rollout.run("restore-defaults");
        expect(find(restored, "degraded.gateway")).toMatchObject({ verdict: "pass" });
        expect(find(restored, "identity.failure-mode.gateway")).toMatchObject({ verdict: "pass" });
        expect(find(restored, "canary.login")).toMatchObject({ verdict: "pass" });
      },
      CHAPTER_TIMEOUT_MS,
    );

    test(
      "a stage whose command starts something open is taken back, though its file is closed",
      async () => {
        await keepNext("proxy");
        await keepNext("api");
        const config = await readFile(at("rollout.yaml"), "utf8");
        const wrong = config.replace(
          "apply: ./restart gateway gateway.env",
          "apply: ./restart gateway open.env",
        );
        await writeFile(at("wrong.yaml"), wrong);
        const staged = await machine.rollout.run(
          "stage",
          "next",
          "gateway",
          "--config",
          "wrong.yaml",
        );
        expect(staged).toMatchObject({ exitCode: 1, json: { kind: "rolled-back" } });
        expect(find(staged, "identity.failure-mode.gateway")).toMatchObject({ verdict: "fail" });
        expect(staged.json["restored"]).toEqual(
          ["auth", "limiter", "gateway"].map((name) =>
            expect.objectContaining({ id: `identity.restored.${name}`, verdict: "pass" }),
          ),
        );
      },
      CHAPTER_TIMEOUT_MS,
    );

    test(
      "hops and limits that were changed by hand are found beside their files",
      async () => {
        await writeFile(at("limits.yaml"), await otherLimits());
        const byHand = { API_TRUST_PROXY_HOPS: "2", LIMITER_POLICIES_FILE: at("limits.yaml") };
        await machine.copyEnv("auth.env", "by-hand.env", byHand);
        await machine.deploy("auth", "by-hand.env");
        const preflight = await machine.rollout.run("preflight");
        expect(find(preflight, "hops.aligned")).toMatchObject({
          verdict: "fail",
          observed: expect.stringContaining("auth 1 (runs with 2)"),
        });
        expect(find(preflight, "running.auth")).toMatchObject({
          verdict: "fail",
          observed: expect.stringMatching(/hops 2 instead of 1.*policies/),
        });
        await machine.deploy("auth", "auth.env");
      },
      CHAPTER_TIMEOUT_MS,
    );

    test(
      "what the timer takes back is compared, and a rollback that leaves new code running is told",
      async () => {
        const leaves = { RELEASE_REVISION: "new-code" };
        await machine.copyEnv("baseline.env", "not-quite-baseline.env", leaves);
        const config = await readFile(at("rollout.yaml"), "utf8");
        const wrong = config
          .replace(
            "rollback: ./restart gateway baseline.env",
            "rollback: ./restart gateway not-quite-baseline.env",
          )
          .replace("deadManSeconds: 120", "deadManSeconds: 20");
        await writeFile(at("wrong.yaml"), wrong);
        const staged = await machine.rollout.run(
          "stage",
          "next",
          "--config",
          "wrong.yaml",
          "--as",
          "Ada",
        );
        expect(staged, staged.text).toMatchObject({ exitCode: 0 });
        const told = await eventually(async () => {
          const lines = (await readFile(at("told"), "utf8")).trim().split("\n");
          const last = JSON.parse(lines.at(-1) ?? "");
          expect(last).toMatchObject({ by: "timer", who: "Ada" });
          return last;
        }, TOLD_TIMEOUT_MS);
        expect(told).toMatchObject({ verdict: "fail", takenBack: ["gateway"] });
        expect(told.checks).toContainEqual(
          expect.objectContaining({
            id: "identity.restored.gateway",
            observed: expect.stringContaining("(new-code) instead of"),
          }),
        );
      },
      CHAPTER_TIMEOUT_MS,
    );

    async function keepNext(stage: string): Promise<void> {
      const answer = await machine.rollout.run("stage", "next", stage);
      expect(answer, answer.text).toMatchObject({ exitCode: 0 });
      await machine.rollout.run("stage", "confirm");
    }

    function openGateway(): string {
      const until = new Date(Date.now() + AN_HOUR_MS).toISOString();
      return [
        "REALTIME_LIMITER_FAILURE_MODE=fail-open",
        "REALTIME_LIMITER_FAIL_OPEN_CHANGE=CHG-1",
        `REALTIME_LIMITER_FAIL_OPEN_UNTIL=${until}\n`,
      ].join("\n");
    }

    async function otherLimits(): Promise<string> {
      const yaml = await readFile("services/limiter/policies.yaml", "utf8");
      return yaml.replace("limit: 30", "limit: 31");
    }

    function at(file: string): string {
      return join(machine.directory, file);
    }
  },
);

function find({ checks, text }: CliAnswer, id: string) {
  const check = checks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(`there is no check ${id} among:\n${text}`);
  return check;
}
