import { type Rule, type Severity, severityOf } from "../lint/finding.ts";
import type { Peer } from "./door.ts";
import type { RecordedRequest } from "./recorder.ts";

/** What one request became: which upstreams it reached, and as what. */
export type Observation = {
  /** Where it was sent: the listener as the file names it, and the host name. */
  listener: string;
  host: string;
  /** Method, path, and whether it asked for an upgrade. */
  route: string;
  /** What the request claimed, in words. */
  request: string;
  peer: Peer;
  /** 0 where no answer came. */
  status: number;
  reached: readonly { upstream: string; recorded: RecordedRequest }[];
};

/** What is wrong with one request at one upstream. */
export type Fault = {
  rule: Rule;
  /** What the upstream saw. */
  saw: string;
  /** Why it is wrong. */
  message: string;
  mend: string;
};

/** One cause, by the request that shows it. */
export type ProveFinding = Fault & {
  severity: Severity;
  listener: string;
  host: string;
  route: string;
  request: string;
  upstream: string;
  /** How many routes or paths show it. */
  places: number;
};

export type FaultAt = { observation: Observation; upstream: string; fault: Fault };

/** Makes one finding of all requests that show the same fault of the same upstream's routes. */
export function groupFaults(faults: readonly FaultAt[]): ProveFinding[] {
  const causes = new Map<string, { first: FaultAt; routes: Set<string> }>();
  for (const one of faults) {
    const { listener } = one.observation;
    const key = [one.fault.rule, listener, one.upstream].join(" ");
    const known = causes.get(key) ?? { first: one, routes: new Set<string>() };
    known.routes.add(one.observation.route);
    causes.set(key, known);
  }
  return [...causes.values()].map(({ first: { observation, upstream, fault }, routes }) => {
    const { listener, host, route, request, peer } = observation;
    return {
      ...fault,
      severity: severityOf(fault.rule),
      ...{ listener, host, route, upstream },
      request: `${request}, from ${peer.address}`,
      places: routes.size,
    };
  });
}
