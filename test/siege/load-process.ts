import { constants, setPriority } from "node:os";
import { ATTACKS } from "./attacks.ts";
import { createLoad, type LoadPlan } from "./load.ts";

/** Attackers exit after this time even if nobody stops them. */
const OVERTIME_MS = 60_000;
/** Enough time for the longest attack that is bounded by its inputs. */
const COUNTED_TIMEOUT_MS = 15 * 60_000;

// Real attackers have their own machines; here they get the remaining CPU.
setPriority(constants.priority.PRIORITY_LOW);
const plan: LoadPlan = JSON.parse(process.argv[2] ?? "{}");
const attacks = plan.attacks.map((name) => {
  const attack = ATTACKS.find((one) => one.name === name);
  if (attack === undefined) throw new Error(`no attack ${name}`);
  return attack;
});
const isCounted = attacks.some((attack) => attack.isCounted === true);
const forMs = isCounted ? COUNTED_TIMEOUT_MS : plan.seconds * 1_000;

const ending = new AbortController();
process.once("SIGTERM", () => ending.abort());
setTimeout(() => ending.abort(), forMs).unref();
setTimeout(() => process.exit(1), forMs + OVERTIME_MS).unref();

// Connection errors come from the services and are expected; other errors are our own.
process.on("uncaughtException", (error) => {
  if ("code" in error && "syscall" in error) return;
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
const load = createLoad(plan, ending.signal);
await Promise.all(attacks.map((attack) => attack.run(load)));
process.stdout.write(`${JSON.stringify(load.counts())}\n`, () => process.exit(0));
