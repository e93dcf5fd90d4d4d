import type { Topology } from "../../edge-config.ts";
import type { Finding, Rule } from "../finding.ts";
import type { OurUpstreams } from "../our-upstreams.ts";
import type { NginxScope, ProxiedPlace } from "./places.ts";
import type { NginxDirective } from "./tree.ts";
import type { AddressesOf } from "./upstreams.ts";
import type { NginxVariables } from "./variables.ts";

/** What the rules of one configuration share. */
export type NginxContext = {
  root: NginxScope;
  variables: NginxVariables;
  /** The places whose headers matter here: those that lead to a service of ours, or may. */
  places: readonly ProxiedPlace[];
  topology: Topology;
  ours: OurUpstreams;
  addressesOf: AddressesOf;
};

export const FORWARDED_FOR_NAME = "x-forwarded-for";

/** A finding at a directive. */
export function report(at: NginxDirective, rule: Rule, message: string, mend: string): Finding {
  return { file: at.file, line: at.line, rule, message, mend };
}

/** The values that a header is set to, whatever the spelling of its name. */
export function valuesFor(headers: readonly NginxDirective[], name: string): string[] {
  const found = headers.filter(({ args }) => args[0]?.toLowerCase() === name.toLowerCase());
  return found.map(({ args }) => args[1] ?? "");
}

/** The directive that sets a header; the name in lower case. */
export function findHeader(place: ProxiedPlace, name: string): NginxDirective | undefined {
  return place.headers.find(({ args }) => args[0]?.toLowerCase() === name);
}
