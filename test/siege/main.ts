import { setTimeout as sleep } from "node:timers/promises";
import pc from "picocolors";
import { ATTACKS } from "./attacks.ts";
import { readCommandLine, type SiegeOptions, USAGE } from "./command-line.ts";
import { FAULTS } from "./faults/faults.ts";
import { openFaultStage, runFault } from "./faults/run-faults.ts";
import type { Finding } from "./finding.ts";
import type { HonestTally } from "./honest/honest-record.ts";
import { findingLines, findingsAsJson, summaryLine, tableHead } from "./report.ts";
import { roundOf, runRound } from "./run-attacks.ts";
import { startSiegeSystem } from "./siege-system.ts";
import { openStage, type Stage } from "./stage.ts";

/** Services use 127.0.0.1 among each other; strangers come from elsewhere, except in one variant. */
const HONEST_ADDRESS = "127.0.0.2";
const ATTACKER_ADDRESS = "127.0.0.3";
const SHARED_ADDRESS = "127.0.0.1";

/** Until connections are open and code is compiled. */
const WARM_UP_MS = 3_000;

type Told = { calm: HonestTally | undefined; findings: Finding[] };

try {
  const options = readCommandLine(process.argv.slice(2));
  process.exitCode = options.isList ? list() : await run(options);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}

function list(): number {
  for (const { name, title } of [...ATTACKS, ...FAULTS]) {
    process.stdout.write(`${name.padEnd(40)}${title}\n`);
  }
  return 0;
}

async function run(options: SiegeOptions): Promise<number> {
  const told: Told = { calm: undefined, findings: [] };
  const isWanted = ({ name }: { name: string }) =>
    options.only.length === 0 || options.only.some((prefix) => name.startsWith(prefix));
  const attacks = ATTACKS.filter(isWanted);
  const faults = FAULTS.filter(isWanted);
  if (attacks.length + faults.length === 0)
    throw new Error("no attack has such a name; see --list");
  const shared = options.variants.includes("shared")
    ? attacks.filter(({ holdsFromSharedAddress }) => holdsFromSharedAddress)
    : [];
  if (options.variants.includes("apart")) {
    await besiege(options, told, attacks, { honest: HONEST_ADDRESS, attacker: ATTACKER_ADDRESS });
    await hang(options, told, faults);
  }
  await besiege(options, told, shared, { honest: SHARED_ADDRESS, attacker: SHARED_ADDRESS });
  const { calm, findings } = told;
  if (calm === undefined) throw new Error("nothing was tried");
  const summary = options.isJson ? findingsAsJson(calm, findings) : summaryLine(findings);
  process.stdout.write(`${summary}\n`);
  return findings.every(({ broken }) => broken.length === 0) ? 0 : 1;
}

/** Runs attacks one after another on a system of their own. */
async function besiege(
  options: SiegeOptions,
  told: Told,
  attacks: typeof ATTACKS,
  addresses: { honest: string; attacker: string },
): Promise<void> {
  if (attacks.length === 0) return;
  const { attacker: attackerAddress, honest: honestAddress } = addresses;
  const system = await startSiegeSystem();
  try {
    const stage = await openStage(system, { honestAddress });
    try {
      const where = `honest clients at ${honestAddress}, attackers at ${attackerAddress}`;
      await measureCalm(options, told, stage, where);
      for (const attack of attacks) {
        const { seconds, inputs, seed } = options;
        const round = roundOf(attack);
        tell(
          options,
          told,
          await runRound(stage, round, { attackerAddress, seconds, inputs, seed }),
        );
      }
    } finally {
      await stage.stop();
    }
  } finally {
    await system.stop();
  }
}

async function hang(options: SiegeOptions, told: Told, faults: typeof FAULTS): Promise<void> {
  if (faults.length === 0) return;
  const faultStage = await openFaultStage(HONEST_ADDRESS);
  try {
    await measureCalm(options, told, faultStage.stage, "the database hangs, in every way");
    for (const fault of faults)
      tell(options, told, await runFault(faultStage, fault, options.seconds));
  } finally {
    await faultStage.stop();
  }
}

/** What honest clients see when nobody attacks. */
async function measureCalm(
  options: SiegeOptions,
  told: Told,
  stage: Stage,
  where: string,
): Promise<void> {
  await sleep(WARM_UP_MS);
  stage.honest.record.take();
  await sleep(options.seconds * 1_000);
  const calm = stage.honest.record.take();
  told.calm ??= calm;
  if (!options.isJson) process.stdout.write(`${pc.bold(`\n${where}`)}\n${tableHead(calm)}\n`);
}

function tell(options: SiegeOptions, told: Told, finding: Finding): void {
  told.findings.push(finding);
  if (options.isJson) return;
  process.stdout.write(`${findingLines(finding).join("\n")}\n`);
}
