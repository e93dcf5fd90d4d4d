import pc from "picocolors";
import { runChaos } from "./limiter-chaos.ts";

/** The number of decisions that the limiter promises to survive. */
const DECISIONS = 1_000_000;

const decisions = Number(process.env["CHAOS_DECISIONS"] ?? DECISIONS);
const report = await runChaos({
  decisions,
  calmMs: { min: 1_000, max: 4_000 },
  print: (line) => process.stdout.write(`${pc.dim(line)}\n`),
});
const { violations, missing, ...figures } = report;
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
for (const line of [...violations, ...missing]) process.stdout.write(`${pc.red(line)}\n`);
const text = `${violations.length} violations, ${missing.length} buckets that do not add up`;
const isGood = violations.length === 0 && missing.length === 0;
process.stdout.write(`${isGood ? pc.green(text) : pc.red(text)}\n`);
process.exitCode = isGood ? 0 : 1;
