import proxyaddr from "proxy-addr";
import { derive } from "../../services/runtime/client-ip.ts";

/** Longer than a pause of the garbage collector, and short enough to wait for. */
const ROUND_MS = 60;
/** Rounds alternate between the two, so that other load affects both. */
const ROUNDS = 15;
/** Calls between two reads of the clock. */
const BATCH = 2_000;

const HOPS = 1;
const ENTRY = "203.0.113.77";
const LONG_LIST = Array.from({ length: 256 }, (_, index) => `10.9.8.${index}`).join(", ");
const HEADER_CHARACTERS = 3_072;

const CASES = [
  { name: "no header", remote: "10.0.0.9", header: undefined },
  { name: "one entry (the common case)", remote: "10.0.0.9", header: ENTRY },
  {
    name: "one entry, peer mapped as on a dual-stack socket",
    remote: "::ffff:10.0.0.9",
    header: ENTRY,
  },
  { name: "one IPv6 entry", remote: "10.0.0.9", header: "2001:db8:1:2:3:4:5:6" },
  {
    name: "a header of 3 KB",
    remote: "10.0.0.9",
    header: `${LONG_LIST}, ${ENTRY}`.slice(-HEADER_CHARACTERS),
  },
] as const;

/** Prints the cost of one derivation beside proxy-addr (used by Express), in one run. */
export async function run(): Promise<void> {
  const rows = CASES.map(({ name, remote, header }) => {
    const lines = header === undefined ? [] : [header];
    const request = { headers: { "x-forwarded-for": header }, socket: { remoteAddress: remote } };
    const trust = (_address: string, index: number) => index < HOPS;
    const ours = () => derive(remote, lines, HOPS).ip.length;
    const theirs = () => proxyaddr(request, trust).length;
    return { name, ...compare(ours, theirs) };
  });
  const lines = rows.map(({ name, oursNs, theirsNs }) => {
    const ratio = (theirsNs / oursNs).toFixed(2);
    return `${name.padEnd(50)} ${oursNs.toFixed(0).padStart(7)} ns ${theirsNs.toFixed(0).padStart(10)} ns ${ratio.padStart(8)}×`;
  });
  const head = `${"".padEnd(50)} ${"derive()".padStart(10)} ${"proxy-addr".padStart(13)} ${"ratio".padStart(9)}`;
  process.stdout.write(`${[head, ...lines].join("\n")}\n`);
  process.stdout.write(
    "nanoseconds for one request, median of alternating rounds; a ratio above 1 means derive() is faster.\nderive() validates and canonicalises the address and counts the entries; proxy-addr returns the text.\n",
  );
}

/** Uses every result, or the compiler would remove the call. */
let sink = 0;

function compare(ours: () => number, theirs: () => number): { oursNs: number; theirsNs: number } {
  const oursNs: number[] = [];
  const theirsNs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    oursNs.push(measure(ours));
    theirsNs.push(measure(theirs));
  }
  if (sink < 0) throw new Error("lengths do not sum to less than nothing");
  return { oursNs: median(oursNs), theirsNs: median(theirsNs) };
}

function measure(work: () => number): number {
  const start = performance.now();
  let calls = 0;
  let elapsedMs = 0;
  while (elapsedMs < ROUND_MS) {
    for (let call = 0; call < BATCH; call += 1) sink = (sink + work()) % 1_000_003;
    calls += BATCH;
    elapsedMs = performance.now() - start;
  }
  return (elapsedMs * 1_000_000) / calls;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
