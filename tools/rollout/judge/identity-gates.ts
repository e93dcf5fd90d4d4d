import { PUBLIC_SERVICES, type PublicServiceName } from "../../edge/probe/deployment.ts";
import type { RolloutTopology } from "../settings/rollout-config.ts";
import type { HopsByService } from "../state/good-window.ts";
import type { Gate } from "./gate.ts";

export type IdentityGatesOptions = {
  topology: RolloutTopology;
  /** What services trust unless `hopsNow` says otherwise. */
  hops: number;
  hopsNow?: HopsByService | undefined;
  /** What they trusted in the time to compare with; the same unless it is said. */
  hopsBefore?: HopsByService | undefined;
};

const DERIVATIONS = "portcullis_client_ip_derivations_total";
/** Boundaries of the histogram of entries lie one apart up to here. */
const EXACT_ENTRIES_MAX = 4;
/** A gauge is looked at this often within a window where moments without requests must not count. */
const LOOKS = 60;

/** Counts events of the window; missing labels count as none as long as the metric is there. */
export const events = (selector: string) => (window: string) =>
  `sum(increase(${selector}[${window}]))`;

/** Services share the traffic unevenly; a tenth of it says enough about one of them. */
const SERVICE_SHARE = 0.1;
/** One address, of which the first scrapes know nothing yet. */
const SOMEBODY = 0.5;

const stepOf = (window: string) => `${Math.ceil(Number.parseInt(window, 10) / LOOKS)}s`;

/** What tells that clients are taken for others than they are. */
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

/** Without hops nothing of the header counts; past the last boundary it cannot be told exactly. */
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
 * Another number of hops gives everybody another address: one proxy becomes its many clients, or the
 * other way. Then the time before says nothing about how many addresses there should be.
 */
function isExpectedToMove({ before, now }: Trust): boolean {
  return before !== now;
}

/** When clients collapse into the address of a proxy. */
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
    // Of two or three clients one is more active than the others by chance.
    rule: { kind: "at-most", relative: { factor: 1.25, margin: 0.05 } },
    value: share,
    // When other clients leave, one has a larger share of fewer requests, but has not more of them. An
    // address into which clients collapse takes over what many of them had.
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

/** When clients can make addresses up. */
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
    // In a quiet hour each address has fewer requests, but there are not more addresses.
    also: { value: count, limit: (window) => `1.2 * ${count(window)}` },
    samples: events(`${DERIVATIONS}{${selector}}`),
    samplesShare: SERVICE_SHARE,
    mend: "probe the edge for a spelling that gets through: npm run rollout -- probe",
  };
}

/** All that can be foreseen of a service whose hops were changed: somebody is there. */
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
