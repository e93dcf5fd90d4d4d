import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import picocolors from "picocolors";
import { DEBT_KINDS, type Debt, findDebt } from "./find-debt.ts";
import { compareDebt, type DebtCounts, lowerBaseline } from "./ratchet.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const BASELINE_FILE = join(root, "tools/debt/baseline.json");
/** Generated code is not counted. */
const FOLDERS = ["services", "clients", "tools", "test"];
const SOURCE = /\.tsx?$/;

const found = FOLDERS.flatMap(listFiles).flatMap((file) =>
  findDebt(readFileSync(join(root, file), "utf8")).map((debt) => ({ ...debt, file })),
);
const counts = countDebt(found);
const baseline = JSON.parse(readFileSync(BASELINE_FILE, "utf8")) as DebtCounts;
const comparisons = compareDebt(counts, baseline);
for (const { kind, count, allowed } of comparisons) {
  process.stdout.write(`${kind.padEnd(12)} ${String(count).padStart(4)} of ${allowed} allowed\n`);
}

const exceeded = comparisons.filter(({ count, allowed }) => count > allowed);
for (const { kind, count, allowed } of exceeded) {
  const places = found.filter((debt) => debt.kind === kind);
  const list = places.map(({ file, line }) => `  ${file}:${line}`).join("\n");
  process.stderr.write(
    `${picocolors.red(`${kind}: ${count}, and ${allowed} are allowed`)}\n${list}\n`,
  );
}
if (exceeded.length > 0) process.exitCode = 1;

if (process.argv.includes("--update")) {
  const lowered = lowerBaseline(counts, baseline);
  writeFileSync(BASELINE_FILE, `${JSON.stringify(lowered, undefined, 2)}\n`);
} else if (comparisons.some(({ count, allowed }) => count < allowed)) {
  process.stdout.write("There is less than allowed: keep it so with check:ts:debt -- --update\n");
}

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listFiles(path);
    return SOURCE.test(entry.name) ? [path] : [];
  });
}

function countDebt(debts: readonly Debt[]): DebtCounts {
  const counts = { any: 0, "non-null": 0, cast: 0, suppression: 0, "to-do": 0 };
  for (const kind of DEBT_KINDS) counts[kind] = debts.filter((debt) => debt.kind === kind).length;
  return counts;
}
