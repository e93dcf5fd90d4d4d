import { setTimeout as sleep } from "node:timers/promises";
import pc from "picocolors";
import { PATIENCE } from "../fixtures/services.ts";
import type { Attack } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { readCommandLine, type SiegeOptions, USAGE, type Variant } from "./command-line.ts";
import { FAULTS } from "./faults/faults.ts";
import { openFaultStage, runFault } from "./faults/run-faults.ts";
import type { Finding } from "./finding.ts";
import type { HonestTally } from "./honest/honest-record.ts";
import { findingLines, findingsAsJson, summaryLine, tableHead } from "./report.ts";
import { roundOf, runRound } from "./run-attacks.ts";
import { startSiegeSystem } from "./siege-system.ts";
import { openStage, type Stage } from "./stage.ts";

/**
 * Services call each other from 127.0.0.1; strangers use another address, except in one variant.
 */
const HONEST_ADDRESS = "127.0.0.2";
const ATTACKER_ADDRESS = "127.0.0.3";
const SHARED_ADDRESS = "127.0.0.1";

type Setting = {
  honest: string;
  attacker: string;
  environment: Readonly<Record<string, string>>;
  isTried(attack: Attack): boolean;
};

const VARIANTS: Readonly<Record<Variant, Setting>> = {
  apart: {
    ...{ honest: HONEST_ADDRESS, attacker: ATTACKER_ADDRESS },
    environment: {},
    isTried: () => true,
  },
  direct: {
    ...{ honest: HONEST_ADDRESS, attacker: ATTACKER_ADDRESS },
    environment: { TRUSTED_PROXY_CIDRS: `${SHARED_ADDRESS}/32,${HONEST_ADDRESS}/32` },
    isTried: ({ isAboutConnections }) => isAboutConnections === true,
  },
  shared: {
    ...{ honest: SHARED_ADDRESS, attacker: SHARED_ADDRESS },
    environment: {},
    isTried: ({ holdsFromSharedAddress }) => holdsFromSharedAddress,
  },
};

/** Time until connections are open and code is compiled. */
const WARM_UP_MS = 3_000;

type Told = { calm: HonestTally | undefined; findings: Finding[] };

// Cleanup runs when the process exits.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
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
  for (const variant of options.variants) {
    const chosen = attacks.filter(VARIANTS[variant].isTried);
    await besiege(options, told, chosen, VARIANTS[variant]);
    if (variant === "apart") await hang(options, told, faults);
  }
  const { calm, findings } = told;
  if (calm === undefined) throw new Error("nothing was tried");
  const summary = options.isJson ? findingsAsJson(calm, findings) : summaryLine(findings);
  process.stdout.write(`${summary}\n`);
  return findings.every(({ broken }) => broken.length === 0) ? 0 : 1;
}

/** Runs attacks one after another on a new system. */
async function besiege(
  options: SiegeOptions,
  told: Told,
  attacks: readonly Attack[],
  setting: Setting,
): Promise<void> {
  if (attacks.length === 0) return;
  const { attacker: attackerAddress, honest: honestAddress, environment } = setting;
  const patience = options.isPatient ? PATIENCE : {};
  const system = await startSiegeSystem({ environment: { ...environment, ...patience } });
  try {
    const stage = await openStage(system, { honestAddress });
    try {
      const proxies = environment["TRUSTED_PROXY_CIDRS"];
      const trusted = proxies === undefined ? "" : `, proxies at ${proxies}`;
      const where = `honest clients at ${honestAddress}, attackers at ${attackerAddress}${trusted}`;
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
  const faultStage = await openFaultStage(HONEST_ADDRESS, options.isPatient ? PATIENCE : {});
  try {
    await measureCalm(options, told, faultStage.stage, "the database hangs, in every way");
    for (const fault of faults)
      tell(options, told, await runFault(faultStage, fault, options.seconds));
  } finally {
    await faultStage.stop();
  }
}

/** The results of honest clients without an attack. */
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
