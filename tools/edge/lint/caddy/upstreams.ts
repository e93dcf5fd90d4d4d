import { FOREIGN_PATHS, findOurUpstreams, OUR_PATHS, type OurUpstreams } from "../our-upstreams.ts";
import type { CaddyProxy } from "./headers.ts";
import { applies } from "./matchers.ts";
import type { CaddyDirective } from "./tree.ts";

/** Where a reverse_proxy forwards to; none where something else says so. */
export function addressesOf({ words, block }: CaddyDirective): string[] {
  const own = words.slice(1).filter((word) => !/^[@/*]/.test(word));
  const more = block.flatMap(({ words: [name, ...rest] }) => (name === "to" ? rest : []));
  return [...own, ...more].filter((word) => !word.includes("{"));
}

/** Finds which upstreams of a Caddyfile are services of ours. */
export function readOurUpstreams(
  proxies: readonly Pick<CaddyProxy, "directive" | "around" | "scope">[],
  named: readonly string[],
): OurUpstreams {
  return findOurUpstreams({
    all: proxies.flatMap(({ directive }) => addressesOf(directive)),
    routed: proxies.filter(takesOurs).flatMap(({ directive }) => addressesOf(directive)),
    named,
  });
}

/** Whether a matcher on the way to a reverse_proxy lets paths of ours through, and no other. */
function takesOurs({ directive, around, scope }: Parameters<typeof readOurUpstreams>[0][number]) {
  const blocks = around.filter(({ words }) => HANDLERS.includes(words[0] ?? ""));
  return [directive, ...blocks].some((one) => {
    const takes = (path: string) => applies(one, scope, { path, fromTrusted: false }) !== "no";
    return OUR_PATHS.some(takes) && !FOREIGN_PATHS.some(takes);
  });
}

/** Directives that may stand around a reverse_proxy and begin with a matcher. */
const HANDLERS = ["handle", "handle_path", "route"];
