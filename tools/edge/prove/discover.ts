import {
  FOREIGN_PATHS,
  findOurUpstreams,
  OUR_PATHS,
  type OurUpstreams,
} from "../lint/our-upstreams.ts";
import type { Observation } from "./finding.ts";
import type { Entry, Observe } from "./observe.ts";
import { BROWSER_ROUTES, HONEST, type ProveRoute } from "./requests.ts";

/** A route that an honest request was sent on, and what became of it. */
export type Reached = { entry: Entry; route: ProveRoute; honest: Observation };

/** What a file forwards, as honest requests show it. */
export type Discovered = {
  entries: readonly Entry[];
  ours: OurUpstreams;
  /** The routes that are judged: those to services of ours, or all where none is known. */
  routes: readonly Reached[];
};

/** A name that no file answers by itself. */
export const ANY_NAME = "edge.example";

const FOREIGN_ROUTES = FOREIGN_PATHS.map((path): ProveRoute => {
  return { method: "GET", path, isUpgrade: false };
});

/** Sends an honest request on every route through every entry. */
export async function discover(
  all: readonly Entry[],
  observe: Observe,
  options: { upstreams: readonly string[]; named: readonly string[] },
): Promise<Discovered> {
  const found: Reached[] = [];
  for (const entry of all) {
    for (const route of [...BROWSER_ROUTES, ...FOREIGN_ROUTES]) {
      found.push({ entry, route, honest: await observe(entry, route, HONEST) });
    }
  }
  const reachedBy = (paths: readonly string[]) => {
    const those = found.filter(({ route }) => paths.includes(route.path));
    return those.flatMap(({ honest }) => honest.reached.map(({ upstream }) => upstream));
  };
  const foreign = new Set(reachedBy(FOREIGN_PATHS));
  const routed = reachedBy(OUR_PATHS).filter((address) => !foreign.has(address));
  const { upstreams, named } = options;
  const ours = findOurUpstreams({ all: upstreams, routed, named });
  const entries = all.filter((entry) => !isRepeated(entry, all, found));
  const reached = found.filter(({ entry, honest }) => {
    return entries.includes(entry) && honest.reached.length > 0;
  });
  const routes = reached.filter(({ route, honest }) => {
    // Another application knows nothing of the routes of ours.
    if (FOREIGN_ROUTES.includes(route)) return !ours.isAnyKnown;
    return ours.isAnyKnown && honest.reached.some(({ upstream }) => ours.isAmong([upstream]));
  });
  return { entries, ours, routes: routes.length > 0 || ours.isAnyKnown ? routes : reached };
}

/** Whether any name at all gets what a name of the file gets on the same listener. */
function isRepeated(entry: Entry, all: readonly Entry[], found: readonly Reached[]): boolean {
  if (entry.host !== ANY_NAME) return false;
  const own = signatureOf(entry, found);
  return all.some((other) => {
    return (
      other !== entry && other.listener === entry.listener && signatureOf(other, found) === own
    );
  });
}

/** What the routes of an entry became, without what differs from one request to the next. */
function signatureOf(entry: Entry, found: readonly Reached[]): string {
  const those = found.filter((one) => one.entry === entry);
  return JSON.stringify(
    those.map(({ honest: { status, reached } }) => {
      const seen = reached.map(({ upstream, recorded }) => {
        return [upstream, recorded.requestLine, recorded.lines.map(({ name }) => name)];
      });
      return [status, seen];
    }),
  );
}
