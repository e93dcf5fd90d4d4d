import { PUBLIC_SERVICES, type PublicServiceName } from "../../edge/probe/deployment.ts";
import type { RolloutTopology } from "../settings/rollout-config.ts";
import type { HopsByService } from "../state/good-window.ts";
import type { Gate } from "./gate.ts";

export type IdentityGatesOptions = {
  topology: RolloutTopology;
  /** What services trust unless `hopsNow` says otherwise. */
  hops: number;
  hopsNow?: HopsByService | undefined;
  /** What services trusted in the baseline; the same as now if absent. */
  hopsBefore?: HopsByService | undefined;
};

const DERIVATIONS = "portcullis_client_ip_derivations_total";
/** Up to here the histogram of entries has a boundary at every integer. */
const EXACT_ENTRIES_MAX = 4;
/** The number of samples of a gauge per window, where moments without requests must not count. */
const LOOKS = 60;

/** PromQL for the number of events in the window; no data while no series matches. */
export const events = (selector: string) => (window: string) =>
  `sum(increase(${selector}[${window}]))`;

/** Services share the traffic unevenly; a tenth of it suffices to judge one of them. */
const SERVICE_SHARE = 0.1;
/** Half of one address: the first scrapes of a window may not have seen it yet. */
const SOMEBODY = 0.5;

const stepOf = (window: string) => `${Math.ceil(Number.parseInt(window, 10) / LOOKS)}s`;

/** The gates that show when services derive wrong client addresses. */
export function identityGates(options: IdentityGatesOptions): Gate[] {
  const { topology, hopsNow, hopsBefore } = options;
  const nowOf = (service: PublicServiceName) => hopsNow?.[service] ?? options.hops;
  const trusts = PUBLIC_SERVICES.map((service) => {
    const now = nowOf(service);
    return { service, now, before: hopsBefore?.[service] ?? now };
  });
  return [warnings, ...entriesGates(nowOf, topology), topKeyShare(trusts), distinctKeys(trusts)];
}

const warnings: Gate = {
  id: "gate.client-ip.warnings",
  title: "Clients whose forwarded address could not be used",
  why: "each shares the bucket of the proxy with everybody else, so one abuser locks all out",
  unit: "events",
  rule: { kind: "none" },
  value: events(`${DERIVATIONS}{warning!="none"}`),
  samples: events(DERIVATIONS),
  mend: "roll back the hops, or the edge that does not write X-Forwarded-For on every route",
};

/**
 * Covers services with 1 to EXACT_ENTRIES_MAX hops: with 0 the header is unused, and above that the
 * histogram is not exact.
 */
function entriesGates(
  hopsOf: (service: PublicServiceName) => number,
  topology: RolloutTopology,
): Gate[] {
  const judged = PUBLIC_SERVICES.filter((service) => {
    return hopsOf(service) > 0 && hopsOf(service) <= EXACT_ENTRIES_MAX;
  });
  const [first] = judged;
  if (first === undefined) return [];
  const isExact = topology !== "cdn-append";
  const areAlike = PUBLIC_SERVICES.every((service) => hopsOf(service) === hopsOf(first));
  const parts = areAlike
    ? [{ hops: hopsOf(first), service: "" }]
    : judged.map((service) => ({ hops: hopsOf(service), service: `service="${service}"` }));
  const counts = [...new Set(judged.map(hopsOf))].join(" and ");
  const all = ({ service }: { service: string }) =>
    events(`portcullis_client_ip_entries_count${service && `{${service}}`}`);
  const upTo = (count: number, service: string) =>
    events(
      `portcullis_client_ip_entries_bucket{${service && `${service},`}le=~"${count}|${count}[.]0"}`,
    );
  const wrong = (part: { hops: number; service: string }, window: string) => {
    const fewer = upTo(part.hops - 1, part.service)(window);
    if (!isExact) return fewer;
    return `${all(part)(window)} - (${upTo(part.hops, part.service)(window)} - ${fewer})`;
  };
  return [
    {
      id: "gate.client-ip.entries",
      title: `Requests ${isExact ? "without exactly" : "with fewer than"} ${counts} forwarded entries`,
      why: "behind a correct edge their number never changes; drift is a spoof or a new proxy",
      unit: "events",
      rule: { kind: "none" },
      value: (window) => parts.map((part) => wrong(part, window)).join(" + "),
      samples: (window) => parts.map((part) => all(part)(window)).join(" + "),
      mend: "measure the edge anew: npm run rollout -- align",
    },
  ];
}

type Trust = { service: PublicServiceName; before: number; now: number };

/**
 * A changed number of hops changes every derived address: one proxy becomes its many clients, or
 * the reverse. The baseline then says nothing about the number of addresses.
 */
function isExpectedToMove({ before, now }: Trust): boolean {
  return before !== now;
}

/** Detects clients that collapse into the address of a proxy. */
function topKeyShare(trusts: readonly Trust[]): Gate {
  const whole = topKeyShareOf('service=~"auth|gateway"', "every service");
  const parts = trusts.map((trust): Gate => {
    const part = topKeyShareOf(`service="${trust.service}"`, trust.service);
    if (!isExpectedToMove(trust)) return part;
    return { ...part, rule: { kind: "at-most", bound: 1 }, also: undefined };
  });
  return { ...whole, parts };
}

function topKeyShareOf(selector: string, part: string): Gate {
  const share = (window: string) =>
    `max(avg_over_time((portcullis_client_ip_top_key_share{${selector}} > 0)[${window}:${stepOf(window)}]))`;
  const all = (window: string) => `sum(rate(${DERIVATIONS}{${selector}}[${window}]))`;
  return {
    id: "gate.client-ip.top-key-share",
    title: "Share of requests that the most frequent address has",
    part,
    why: "when all clients collapse into the address of a proxy, this rises",
    unit: "percent",
    // Among two or three clients, one may be more active by chance.
    rule: { kind: "at-most", relative: { factor: 1.25, margin: 0.05 } },
    value: share,
    // When clients leave, another's share grows but not its number of requests. An address into
    // which clients collapse takes over their requests.
    also: {
      value: (window) => `${share(window)} * ${all(window)}`,
      limit: (window) =>
        `(1.5 * ${share(window)} * ${all(window)} > 0.25 * ${all(window)}) or 0.25 * ${all(window)}`,
    },
    samples: events(`${DERIVATIONS}{${selector}}`),
    samplesShare: SERVICE_SHARE,
    mend: "compare the address of that bucket with your proxies' own: npm run rollout -- align",
  };
}

/** Detects clients that can choose their addresses. */
function distinctKeys(trusts: readonly Trust[]): Gate {
  const whole = distinctKeysOf('service=~"auth|gateway"', "every service");
  const parts = trusts.map((trust): Gate => {
    const selector = `service="${trust.service}"`;
    if (isExpectedToMove(trust)) return movedKeysOf(selector, trust);
    return distinctKeysOf(selector, trust.service);
  });
  return { ...whole, parts };
}

function distinctKeysOf(selector: string, part: string): Gate {
  const count = (window: string) =>
    `sum(avg_over_time(portcullis_client_ip_distinct_keys{${selector}}[${window}]))`;
  return {
    id: "gate.client-ip.distinct-keys",
    title: "Different addresses per request",
    part,
    why: "when clients can make addresses up, or ports count as addresses, this rises",
    unit: "number",
    rule: { kind: "at-most", relative: { factor: 1.2, margin: 0, slack: 0.5 } },
    value: (window) =>
      `${count(window)} / (60 * sum(rate(${DERIVATIONS}{${selector}}[${window}])))`,
    // In a quiet hour each address has fewer requests, but the number of addresses does not grow.
    also: { value: count, limit: (window) => `1.2 * ${count(window)}` },
    samples: events(`${DERIVATIONS}{${selector}}`),
    samplesShare: SERVICE_SHARE,
    mend: "probe the edge for a spelling that gets through: npm run rollout -- probe",
  };
}

/** After a change of hops only one thing is certain: there is at least one address. */
function movedKeysOf(selector: string, { service, before, now }: Trust): Gate {
  return {
    ...distinctKeysOf(selector, service),
    part: `${service}, hops ${before} before and ${now} now`,
    rule: { kind: "at-least", bound: SOMEBODY },
    value: (window) =>
      `sum(avg_over_time(portcullis_client_ip_distinct_keys{${selector}}[${window}]))`,
    also: undefined,
  };
}
