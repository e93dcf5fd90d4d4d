import {
  appliesTo,
  type HaproxyAcls,
  type HaproxyWorld,
  type Truth,
  withoutCondition,
} from "./haproxy-conditions.ts";
import { aclsOf, findLast, type HaproxyRoute, requestRules } from "./haproxy-routes.ts";
import type { HaproxyLine } from "./haproxy-sections.ts";

/** What X-Forwarded-For can hold when the request leaves. */
export type Content =
  /** The client's own lines, untouched. */
  | "client"
  | "none"
  /** The connection's address alone. */
  | "peer"
  /** The connection's address behind the client's own. */
  | "appended"
  /** The connection's address twice. */
  | "repeated"
  /** An address that a header named. */
  | "named"
  | "constant";

/** Each possible content, with the line that made it. */
export type Forwarded = {
  contents: ReadonlyMap<Content, HaproxyLine | undefined>;
  /** The rule that ended the processing before its end. */
  skippedBy: HaproxyLine | undefined;
  /** A rule that would have replaced the header, had it applied. */
  notApplied: HaproxyLine | undefined;
};

type Contents = Map<Content, HaproxyLine | undefined>;
type Sources = { variables: Map<string, Set<Content>>; src: Set<Content> };

const FORWARDED_FOR = "x-forwarded-for";

/** Follows X-Forwarded-For through every rule between the two ends of a route. */
export function followForwardedFor(route: HaproxyRoute, world: HaproxyWorld): Forwarded {
  const { frontend, backend } = route;
  const sections = backend === frontend ? [frontend] : [frontend, backend];
  const sources: Sources = { variables: new Map(), src: new Set(["peer"]) };
  let contents: Contents = new Map([["client", undefined]]);
  let skippedBy: HaproxyLine | undefined;
  let notApplied: HaproxyLine | undefined;
  for (const section of sections) {
    const acls = aclsOf(section);
    for (const rule of requestRules(section)) {
      const truth = appliesTo(rule.words, acls, world);
      if (rule.words[1] === "allow" && truth !== "no") {
        skippedBy = rule;
        break;
      }
      if (truth !== "yes" && changesForwardedFor(rule)) notApplied = rule;
      if (truth === "no") continue;
      const next = apply(rule, contents, sources, truth);
      contents = truth === "yes" ? next : new Map([...contents, ...next]);
    }
  }
  const option = findForwardFor(route);
  return {
    contents: option === undefined ? contents : addForwardFor(option, contents),
    skippedBy,
    notApplied,
  };
}

/** The `option forwardfor` in effect, unless it is for another header. */
export function findForwardFor({ frontend, backend }: HaproxyRoute): HaproxyLine | undefined {
  for (const section of [backend, frontend]) {
    const isOption = (words: readonly string[]) => words.join(" ").includes("option forwardfor");
    const line = findLast(section, isOption);
    if (line === undefined || line.words[0] === "no") continue;
    const header = line.words[line.words.indexOf("header") + 1];
    if (!line.words.includes("header") || header?.toLowerCase() === FORWARDED_FOR) return line;
  }
  return undefined;
}

function addForwardFor(option: HaproxyLine, contents: Contents): Contents {
  if (!option.words.includes("if-none")) return combine(contents, new Set(["peer"]), option);
  const [kept, added] = [new Map(contents), contents.has("none")];
  kept.delete("none");
  if (added) kept.set("peer", option);
  return kept;
}

function changesForwardedFor({ words }: HaproxyLine): boolean {
  const [, action = "", name = ""] = words;
  return ["set-header", "del-header"].includes(action) && name.toLowerCase() === FORWARDED_FOR;
}

function apply(rule: HaproxyLine, contents: Contents, sources: Sources, truth: Truth): Contents {
  const [, action = "", name = "", ...values] = withoutCondition(rule.words);
  const variable = /^set-var(?:-fmt)?\((.+)\)$/.exec(action)?.[1];
  if (variable !== undefined) {
    const expression = [name, ...values].join(" ");
    const kinds = readSources(expression, sources);
    const old = truth === "maybe" ? (sources.variables.get(variable) ?? []) : [];
    sources.variables.set(variable, new Set([...old, ...kinds]));
    return contents;
  }
  if (action === "set-src") {
    sources.src = new Set([...readSources(name, sources)]);
    return contents;
  }
  if (action === "del-header" && deletes(name, values)) return new Map([["none", rule]]);
  if (name.toLowerCase() !== FORWARDED_FOR) return contents;
  const kinds = readSources(values.join(" "), sources);
  if (action === "set-header") return new Map([...kinds].map((kind) => [kind, rule]));
  return action === "add-header" ? combine(contents, kinds, rule) : contents;
}

/** Whether a del-header, by name or by pattern, takes X-Forwarded-For away. */
function deletes(name: string, rest: readonly string[]): boolean {
  const method = rest[rest.indexOf("-m") + 1];
  const pattern = name.toLowerCase();
  if (!rest.includes("-m") || method === "str") return pattern === FORWARDED_FOR;
  if (method === "beg") return FORWARDED_FOR.startsWith(pattern);
  if (method === "end") return FORWARDED_FOR.endsWith(pattern);
  if (method === "sub") return FORWARDED_FOR.includes(pattern);
  try {
    return new RegExp(name, "i").test(FORWARDED_FOR);
  } catch {
    return false;
  }
}

/** A line added behind what is there. */
function combine(contents: Contents, kinds: ReadonlySet<Content>, rule: HaproxyLine): Contents {
  const pairs = [...contents.keys()].flatMap((before) => {
    return [...kinds].map((kind): [Content, HaproxyLine] => {
      if (before === "none") return [kind, rule];
      return [before === "peer" ? "repeated" : "appended", rule];
    });
  });
  return new Map(pairs);
}

/** What an expression or a log format is made of. */
function readSources(text: string, sources: Sources): ReadonlySet<Content> {
  const variables = [...text.matchAll(/var\(([^),]+)/g)].map((match) => match[1] ?? "");
  const known = variables.flatMap((name) => {
    return [...(sources.variables.get(name) ?? new Set<Content>(["constant"]))];
  });
  const isClients = /\b(req\.)?f?hdr(_ip)?\(|capture\.req\.hdr|\bhdr_ip\(|url_param|cook/.test(
    text,
  );
  const isPeers = /(^|%\[)\s*src\b|%\[?ci\b|%ci\b/.test(text);
  const kinds = new Set<Content>([
    ...known,
    ...(isClients ? (["named"] as const) : []),
    ...(isPeers ? sources.src : []),
  ]);
  if (isClients && isPeers) return new Set(["appended"]);
  return kinds.size === 0 ? new Set(["constant"]) : kinds;
}

/** Whether a rule of the route sets or deletes a header, for every request or for some. */
export function findHeaderRules(
  route: HaproxyRoute,
  header: string,
  world: HaproxyWorld,
): { actions: readonly string[]; isCertain: boolean } {
  const sections =
    route.backend === route.frontend ? [route.frontend] : [route.frontend, route.backend];
  const rules = sections.flatMap((section) => {
    const acls: HaproxyAcls = aclsOf(section);
    return requestRules(section).map((rule) => ({ rule, acls }));
  });
  const fitting = rules.filter(
    ({ rule: { words } }) => words[2]?.toLowerCase() === header.toLowerCase(),
  );
  const applying = fitting
    .map(({ rule, acls }) => ({ rule, truth: appliesTo(rule.words, acls, world) }))
    .filter(({ truth }) => truth !== "no");
  return {
    actions: applying.map(({ rule }) => rule.words[1] ?? ""),
    isCertain: applying.some(({ truth }) => truth === "yes"),
  };
}
