import { randomInt } from "node:crypto";
import { HOPS } from "../../edge/edge-policy.ts";
import { fittingPresets, type Writing } from "../../edge/presets.ts";
import { askIdentity } from "../../edge/probe/ask-identity.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import {
  type Deployment,
  PUBLIC_SERVICES,
  type PublicServiceName,
} from "../../edge/probe/deployment.ts";
import { PROBE_ROUTES } from "../../edge/probe/public-route.ts";
import { sendProbe } from "../../edge/probe/send-probe.ts";
import type { HeaderLine } from "../../edge/spoof.ts";
import type { Check } from "../terms/verdict.ts";
import { type HopMeasurement, type HopSample, measureHops } from "./measure-hops.ts";
import { withOneCause } from "./one-cause.ts";

export type AlignOptions = Deployment & {
  /** Our address as the outermost proxy sees it, if known. */
  clientAddress?: string | undefined;
};

export type Alignment = {
  checks: Check[];
  /** The number of hops that every service should trust; undefined if not unique. */
  hops: number | undefined;
};

/**
 * Forged entries and header lines of each request of a measurement. The honest requests in between
 * show whether requests take paths with different proxies.
 */
const LIES: readonly { entries: number; lines: number }[] = [
  { entries: 0, lines: 0 },
  { entries: 1, lines: 1 },
  { entries: 2, lines: 1 },
  { entries: 0, lines: 0 },
  { entries: 3, lines: 3 },
  { entries: 8, lines: 2 },
  { entries: 0, lines: 0 },
];

/** Measures the right number of hops from what arrives at each service behind the edge. */
export async function runAlign(options: AlignOptions): Promise<Alignment> {
  const measured = await Promise.all(
    PUBLIC_SERVICES.map(async (name) => ({ name, measurement: await measureAt(options, name) })),
  );
  const checks = measured.map(({ name, measurement }) => describe(name, measurement));
  const counts = new Set(measured.map(({ measurement }) => hopsOf(measurement)));
  const [hops] = counts;
  const agreed = counts.size === 1 ? hops : undefined;
  checks.push(agreementCheck(measured, agreed), await configuredCheck(options, agreed));
  const [first] = measured;
  if (agreed !== undefined && first?.measurement.kind === "unique") {
    checks.push(frontCheck(options, first.measurement));
  }
  return { checks: await withOneCause(options, checks), hops: agreed };
}

function hopsOf(measurement: HopMeasurement): number | undefined {
  return measurement.kind === "unique" ? measurement.hops : undefined;
}

async function measureAt(options: AlignOptions, name: PublicServiceName): Promise<HopMeasurement> {
  const samples: HopSample[] = [];
  // One after the other, so that a proxy that spreads connections evenly shows all its paths.
  for (const lie of LIES) {
    const spoofed = Array.from({ length: lie.entries }, randomNobody);
    const result = await sendProbe(options, PROBE_ROUTES[name], toLines(spoofed, lie.lines));
    if (result.kind !== "identity") {
      const reason =
        result.kind === "refused" ? `the edge refused with ${result.status}` : result.problem;
      return { kind: "ambiguous", reason, mend: "see that the edge forwards this route" };
    }
    samples.push({ spoofed, entries: result.entries, byHops: result.byHops });
  }
  return measureHops(samples, options.clientAddress);
}

/** A random address of a documentation range, so that no other client uses it now. */
function randomNobody(): string {
  const network = ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8::"][randomInt(4)];
  // From 10 on: no leading zeros, and already the shortest form of an IPv6 group.
  return `${network}${randomInt(10, 100)}`;
}

function toLines(entries: readonly string[], lines: number): HeaderLine[] {
  return Array.from({ length: lines }, (_, line): HeaderLine => {
    const ofLine = entries.filter((_entry, index) => index % lines === line);
    return ["X-Forwarded-For", ofLine.join(", ")];
  });
}

function describe(name: PublicServiceName, measurement: HopMeasurement): Check {
  const subject = {
    id: `align.${name}`,
    title: `Entries that the proxies in front of ${name} write`,
    why: "only what our own proxies write may be trusted, and all of it must be counted",
  };
  if (measurement.kind === "ambiguous") {
    return doubtful(subject, measurement.reason, measurement.mend);
  }
  const { hops, habit, address, peers } = measurement;
  const proxy = `the last proxy comes from ${peers.join(" and ")}`;
  return passed(subject, `${hops}; the edge ${habit} the header; you are ${address}; ${proxy}`);
}

function agreementCheck(
  measured: readonly { name: PublicServiceName; measurement: HopMeasurement }[],
  agreed: number | undefined,
): Check {
  const subject = {
    id: "align.hops",
    title: "The right number of hops",
    why: "API_TRUST_PROXY_HOPS and REALTIME_TRUST_PROXY_HOPS must agree for one topology",
  };
  if (agreed !== undefined) return passed(subject, String(agreed));
  const each = measured.map(
    ({ name, measurement }) => `${name} ${hopsOf(measurement) ?? "unknown"}`,
  );
  return doubtful(subject, `not unique: ${each.join(", ")}`, "mend what the lines above say");
}

/** Compares what the proxies write with edge.topology, and names the presets that would fit. */
function frontCheck({ topology, front }: Deployment, measured: Writing): Check {
  const subject = {
    id: "align.topology",
    title: "What stands in front",
    why: "hops, probes and gates are judged by edge.topology",
  };
  const observed = `${measured.hops} ${measured.hops === 1 ? "entry" : "entries"}, and the edge ${measured.habit}`;
  const expected = front?.hops ?? HOPS[topology];
  // Behind a CDN that replaces the header, an edge that appends seems to overwrite.
  const isAppended = measured.habit === "appends";
  const isSame = measured.hops === expected && (topology === "cdn-append" || !isAppended);
  if (isSame) return passed(subject, `${observed}, as ${front?.name ?? topology} does`);
  const names = fittingPresets(measured);
  const render = "let an edge overwrite the header: npm run -s edge -- render";
  const without = isAppended
    ? ", and name no edge.config where no edge of yours is in between"
    : "";
  const mend =
    names.length === 0
      ? render
      : `set edge.topology to what stands there (${names.join(", ")})${without}; or ${render}`;
  return doubtful(subject, `${observed}; edge.topology says ${front?.name ?? topology}`, mend);
}

async function configuredCheck(options: AlignOptions, hops: number | undefined): Promise<Check> {
  const subject = {
    id: "align.configured",
    title: "Hops that the services trust",
    why: "too many let clients choose their address, too few put all into the proxy's bucket",
  };
  const answers = await Promise.all(
    PUBLIC_SERVICES.map(async (name) => ({ name, answer: await askIdentity(options, name) })),
  );
  const running = answers.map(({ name, answer }) => {
    return { name, hops: answer.kind === "identity" ? answer.hops : undefined };
  });
  const observed = running.map(({ name, hops }) => `${name} ${hops ?? "unknown"}`).join(", ");
  if (hops === undefined || running.some((service) => service.hops === undefined)) {
    return doubtful(subject, observed, "measure the right number first");
  }
  // Before its stage a service rightly trusts fewer hops.
  const isRight = (service: (typeof running)[number]) =>
    service.hops === hops || service.hops === options.expectedHops?.[service.name];
  if (running.every(isRight)) return passed(subject, observed);
  const mend = `set API_TRUST_PROXY_HOPS=${hops} and REALTIME_TRUST_PROXY_HOPS=${hops}, stage by stage`;
  return failed(subject, `${observed}; measured ${hops}`, mend);
}
