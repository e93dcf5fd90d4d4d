import pc from "picocolors";
import type { Contestant } from "./limiter-contestants.ts";
import { WORKLOADS, type WorkloadName } from "./limiter-workloads.ts";

export type Measurement = {
  contestant: Contestant;
  workload: WorkloadName;
  replicas: number;
  perSecond: number;
  rejectedShare: number;
  p50Ms: number;
  p99Ms: number;
};

export type Report = {
  machine: string;
  measuredAt: string;
  throughput: readonly Measurement[];
  replicas: readonly Measurement[];
  latency: readonly Measurement[];
};

/** The promised ratios within one run. */
const GOALS: ReadonlyArray<{
  what: string;
  workload: WorkloadName;
  against: Contestant;
  must?: number;
  aim: number;
}> = [
  {
    what: "rate-limiter-flexible on Postgres",
    workload: "uniform10k",
    against: "rate-limiter-flexible, Postgres",
    must: 10,
    aim: 15,
  },
  {
    what: "rate-limiter-flexible on Redis",
    workload: "uniform10k",
    against: "rate-limiter-flexible, Redis",
    must: 1,
    aim: 1.5,
  },
  {
    what: "the raw sorted-batch upsert",
    workload: "uniform10k",
    against: "raw sorted-batch upsert",
    aim: 0.75,
  },
  {
    what: "rate-limiter-flexible in memory, for what is rejected",
    workload: "onlyRejected",
    against: "rate-limiter-flexible, memory",
    aim: 1,
  },
];

/** Prints all results as ratios to the engine, and whether the goals were met. */
export function printReport(report: Report): void {
  const print = (line = "") => process.stdout.write(`${line}\n`);
  print(pc.dim(`\n${report.machine}`));
  for (const workload of Object.keys(WORKLOADS) as WorkloadName[]) {
    const rows = report.throughput.filter((row) => row.workload === workload);
    const engine = rows.find((row) => row.contestant === "engine");
    print(pc.bold(`\n${WORKLOADS[workload].name}`));
    for (const row of rows) {
      const ratio = (engine?.perSecond ?? 0) / row.perSecond;
      const versus = row === engine ? "" : `engine is ${ratio.toFixed(2)}×`;
      print(`  ${row.contestant.padEnd(34)}${perSecond(row).padStart(12)}   ${versus}`);
    }
  }
  print(pc.bold("\nreplicas, each a process (10k keys, uniform)"));
  for (const row of report.replicas) print(`  ${row.replicas}${perSecond(row).padStart(45)}`);
  print(pc.bold("\nlatency at 1,000 requests a second"));
  for (const row of report.latency) {
    const times = `p50 ${row.p50Ms.toFixed(1)} ms, p99 ${row.p99Ms.toFixed(1)} ms`;
    print(`  ${row.contestant.padEnd(34)}${times}`);
  }
  print(pc.bold("\ngoals"));
  for (const goal of GOALS) print(goalLine(report, goal));
  const flatness = ratioOf(report, "uniform10k", "engine") / ratioOf(report, "uniform1m", "engine");
  print(
    `  ${mark(flatness <= 1.5)} cost from 10k to 1M warm keys: ${flatness.toFixed(2)}× (aim 1.5×)`,
  );
}

function goalLine(report: Report, goal: (typeof GOALS)[number]): string {
  const theirs = ratioOf(report, goal.workload, goal.against);
  if (Number.isNaN(theirs)) return `  – ${goal.what}: not measured`;
  const ratio = ratioOf(report, goal.workload, "engine") / theirs;
  const bounds = goal.must === undefined ? "" : `must ${goal.must}×, `;
  const isMet = ratio >= (goal.must ?? goal.aim);
  return `  ${mark(isMet)} ${goal.what}: ${ratio.toFixed(2)}× (${bounds}aim ${goal.aim}×)`;
}

function mark(isMet: boolean): string {
  return isMet ? pc.green("✓") : pc.yellow("✗");
}

function ratioOf(report: Report, workload: WorkloadName, contestant: Contestant): number {
  const row = report.throughput.find(
    (one) => one.workload === workload && one.contestant === contestant,
  );
  return row?.perSecond ?? Number.NaN;
}

function perSecond(row: Measurement): string {
  return `${Math.round(row.perSecond).toLocaleString("en")}/s`;
}

const CHART = { width: 720, bar: 18, gap: 6, label: 230, head: 54, title: 26 };
/** Machines differ in speed; the ratio of two contestants differs less. */
const CHART_UNIT: Contestant = "rate-limiter-flexible, Postgres";
const ENGINE_COLOUR = "#2563eb";
const OTHER_COLOUR = "#94a3b8";
/** Durable contestants only; a caller's result goes through the RPC. */
const OUR_LABELS: Readonly<Partial<Record<Contestant, string>>> = {
  engine: "Portcullis, engine in process",
  "engine, by its client": "Portcullis, RPC by its client",
  "engine, by unary RPC": "Portcullis, one RPC each",
};

/** Draws a bar chart of decisions per second for two workloads, the engine beside the others. */
export function drawChart(report: Report): string {
  const parts: string[] = [];
  let y = CHART.head;
  for (const workload of ["uniform10k", "hot"] as const) {
    const rows = report.throughput.filter((row) => row.workload === workload);
    const most = Math.max(...rows.map((row) => row.perSecond));
    const unit = ratioOf(report, workload, CHART_UNIT);
    parts.push(text(12, y, WORKLOADS[workload].name, "bold"));
    y += 10;
    for (const row of rows) {
      const space = CHART.width - CHART.label - 110;
      const length = Math.max(1, Math.round((row.perSecond / most) * space));
      const isOurs = row.contestant in OUR_LABELS;
      const colour = isOurs ? ENGINE_COLOUR : OTHER_COLOUR;
      parts.push(
        text(12, y + 13, OUR_LABELS[row.contestant] ?? row.contestant),
        `<rect x="${CHART.label}" y="${y}" width="${length}" height="${CHART.bar}" rx="2" fill="${colour}"/>`,
        text(CHART.label + length + 8, y + 13, `${(row.perSecond / unit).toPrecision(3)}×`),
      );
      y += CHART.bar + CHART.gap;
    }
    y += CHART.title;
  }
  const caption = `Decisions per second, one process each; ${CHART_UNIT}: 1`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART.width} ${y}" font-family="sans-serif" font-size="12" role="img" aria-label="${caption}">
<rect width="100%" height="100%" fill="#ffffff"/>
${text(12, 18, caption)}
${text(12, 35, report.machine)}
${parts.join("\n")}
</svg>
`;
}

function text(x: number, y: number, content: string, weight = "normal"): string {
  return `<text x="${x}" y="${y}" font-weight="${weight}" fill="#0f172a">${content}</text>`;
}
