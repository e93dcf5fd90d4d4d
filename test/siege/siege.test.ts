import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATIENCE } from "../fixtures/services.ts";
import { FAULTS } from "./faults/faults.ts";
import { type FaultStage, openFaultStage, runFault } from "./faults/run-faults.ts";
import { runRound } from "./run-attacks.ts";
import {
  SHORT_FAULTS,
  SHORT_INPUTS,
  SHORT_LATE_SHARE_MAX,
  SHORT_ROUNDS,
  SHORT_SECONDS,
} from "./short-form.ts";
import { type SiegeSystem, startSiegeSystem } from "./siege-system.ts";
import { openStage, type Stage } from "./stage.ts";

/** The short form; `npm run test:siege` runs each attack alone, longer and harder. */
const HONEST_ADDRESS = "127.0.0.2";
const ATTACKER_ADDRESS = "127.0.0.3";
const TIMEOUT_MS = 120_000;

describe("strangers", () => {
  let system: SiegeSystem;
  let stage: Stage;
  beforeAll(async () => {
    system = await startSiegeSystem({ environment: PATIENCE });
    stage = await openStage(system, { honestAddress: HONEST_ADDRESS });
  });
  afterAll(async () => {
    await stage.stop();
    await system.stop();
  });

  test("honest clients get everything while nobody attacks", async () => {
    stage.honest.record.take();
    await sleep(SHORT_SECONDS * 1_000);
    const { refusals } = stage.honest.record.take();
    expect([...refusals.keys()], "this machine is too busy to show anything").toEqual([]);
  });

  test.for(SHORT_ROUNDS)(
    "honest clients do not notice $name",
    {
      timeout: TIMEOUT_MS,
    },
    async (round) => {
      const finding = await runRound(stage, round, {
        attackerAddress: ATTACKER_ADDRESS,
        seconds: SHORT_SECONDS,
        inputs: SHORT_INPUTS,
        seed: 1,
        lateShareMax: SHORT_LATE_SHARE_MAX,
      });
      expect(finding.broken).toEqual([]);
    },
  );
});

describe("a database that hangs", () => {
  let faultStage: FaultStage;
  beforeAll(async () => {
    faultStage = await openFaultStage(HONEST_ADDRESS, PATIENCE);
  });
  afterAll(async () => {
    await faultStage.stop();
  });

  test.for(FAULTS.filter(({ name }) => SHORT_FAULTS.has(name)))(
    "backends stay a constant and everything recovers: $title",
    { timeout: TIMEOUT_MS },
    async (fault) => {
      const { broken } = await runFault(faultStage, fault, SHORT_SECONDS);
      expect(broken).toEqual([]);
    },
  );
});
