import type { HeaderContent } from "../header-content.ts";
import { matchesPattern } from "../portable-regex.ts";
import type { Truth } from "../truth.ts";
import { appliesTo, type HaproxyWorld, withoutCondition } from "./conditions.ts";
import { aclsOf, findLast, type HaproxyRoute, requestRules } from "./routes.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";
import { isUnderstood } from "./unread.ts";
import { readExpression, readFormat, type Sources } from "./values.ts";

/** Each possible content, with the line that made it. */
export type Contents = ReadonlyMap<HeaderContent, HaproxyLine | undefined>;

/** What becomes of the headers of a request. */
export type Forwarded = {
  contentsOf: (header: string) => Contents;
  /** The rule that ended the processing before its end. */
  skippedBy: HaproxyLine | undefined;
  /** A rule that would have replaced X-Forwarded-For, had it applied. */
  notApplied: HaproxyLine | undefined;
};

type Kinds = ReadonlySet<HeaderContent>;

type State = {
  headers: ReadonlyMap<string, Contents>;
  variables: ReadonlyMap<string, Kinds>;
  src: Kinds;
};

const FORWARDED_FOR = "x-forwarded-for";
const CLIENT: Contents = new Map([["client", undefined]]);
const UNSET: Kinds = new Set(["constant"]);

/** Follows every header through the rules between the two ends of a route. */
export function followHeaders(route: HaproxyRoute, world: HaproxyWorld): Forwarded {
  let state: State = { headers: new Map(), variables: new Map(), src: new Set(["peer"]) };
  let skippedBy: HaproxyLine | undefined;
  let notApplied: HaproxyLine | undefined;
  for (const section of sectionsOf(route)) {
    const acls = aclsOf(section);
    const left: State[] = [];
    for (const rule of changeRules(section)) {
      const truth = appliesTo(rule.words, acls, world);
      if (truth === "no") {
        if (changesForwardedFor(rule)) notApplied = rule;
        continue;
      }
      if (rule.words[1] === "allow") {
        skippedBy = rule;
        left.push(state);
        if (truth === "yes") break;
        continue;
      }
      if (truth === "maybe" && changesForwardedFor(rule)) notApplied = rule;
      const next = apply(rule, state);
      state = truth === "yes" ? next : merge(state, next);
    }
    state = left.reduce(merge, state);
  }
  const contentsOf = (header: string) => {
    const contents = state.headers.get(header.toLowerCase()) ?? CLIENT;
    const option = findForwardFor(route, header);
    return option === undefined ? contents : addForwardFor(option, contents, state.src);
  };
  return { contentsOf, skippedBy, notApplied };
}

function sectionsOf({ frontend, backend }: HaproxyRoute): HaproxySection[] {
  return backend === frontend ? [frontend] : [frontend, backend];
}

/** The rules that change something, those of the connection first; all as "http-request …". */
function changeRules(section: HaproxySection): readonly HaproxyLine[] {
  const lines = [...section.defaults, ...section.lines];
  const early = lines.filter(({ words: [first, , action = ""] }) => {
    return first === "tcp-request" && action.startsWith("set-");
  });
  const aligned = early.map((line) => ({ ...line, words: line.words.slice(1) }));
  return [...aligned, ...requestRules(section)];
}

/** The `option forwardfor` in effect for a header. */
export function findForwardFor(
  { frontend, backend }: HaproxyRoute,
  header: string,
): HaproxyLine | undefined {
  for (const section of [backend, frontend]) {
    const line = findLast(section, (words) => {
      const at = words[0] === "no" ? 1 : 0;
      return words[at] === "option" && words[at + 1] === "forwardfor";
    });
    if (line === undefined || line.words[0] === "no") continue;
    const at = line.words.indexOf("header");
    const name = at < 0 ? FORWARDED_FOR : line.words[at + 1]?.toLowerCase();
    if (name === header.toLowerCase()) return line;
  }
  return undefined;
}

function addForwardFor(option: HaproxyLine, contents: Contents, src: Kinds): Contents {
  const added = new Map(combine(contents, src, option));
  // Some peers are left out, or some lists: for those nothing changes.
  if (option.words.includes("except") && contents.has("none")) added.set("none", option);
  if (!option.words.includes("if-none")) return added;
  const kept = new Map(contents);
  kept.delete("none");
  if (contents.has("none")) for (const kind of src) kept.set(kind, option);
  return kept;
}

const CHANGES = ["set-header", "del-header", "replace-header", "replace-value"];

function changesForwardedFor({ words }: HaproxyLine): boolean {
  const [, action = "", name = ""] = words;
  return CHANGES.includes(action) && name.toLowerCase() === FORWARDED_FOR;
}

/** Either may be the case. */
function merge(one: State, other: State): State {
  const headers = new Map(one.headers);
  for (const [name, contents] of other.headers) {
    headers.set(name, new Map([...(one.headers.get(name) ?? CLIENT), ...contents]));
  }
  for (const [name, contents] of one.headers) {
    if (!other.headers.has(name)) headers.set(name, new Map([...contents, ...CLIENT]));
  }
  const variables = new Map(one.variables);
  for (const [name, kinds] of other.variables) {
    variables.set(name, new Set([...(one.variables.get(name) ?? UNSET), ...kinds]));
  }
  return { headers, variables, src: new Set([...one.src, ...other.src]) };
}

function apply(rule: HaproxyLine, state: State): State {
  const [, action = "", name = "", ...values] = withoutCondition(rule.words);
  const sources: Sources = {
    header: (header) => (state.headers.get(header.toLowerCase()) ?? CLIENT).keys(),
    variable: (variable) => state.variables.get(variable) ?? UNSET,
    src: state.src,
  };
  const [, setter = "", variable] = /^((?:un)?set-var(?:-fmt)?)\(([^,)]+)/.exec(action) ?? [];
  if (variable !== undefined) {
    const text = [name, ...values].join(" ");
    const kinds = setter === "set-var" ? readExpression(text, sources) : readFormat(text, sources);
    return { ...state, variables: new Map([...state.variables, [variable, kinds]]) };
  }
  // Everything that reads the connection's address from here on reads this.
  if (action === "set-src") return { ...state, src: readExpression(name, sources) };
  const header = name.toLowerCase();
  const before = state.headers.get(header) ?? CLIENT;
  const set = (contents: Contents): State => {
    return { ...state, headers: new Map([...state.headers, [header, contents]]) };
  };
  switch (action) {
    case "set-header":
      return set(stamp(readFormat(values.join(" "), sources), rule));
    case "add-header":
      return set(combine(before, readFormat(values.join(" "), sources), rule));
    case "replace-header":
    case "replace-value":
      return set(replace(before, values, sources, rule));
    case "del-header":
      return { ...state, headers: remove(state.headers, name, values, rule) };
    default: {
      if (isUnderstood(action)) return state;
      const changed: Contents = new Map([["unknown", rule]]);
      return { ...state, headers: new Map([...state.headers, [FORWARDED_FOR, changed]]) };
    }
  }
}

function stamp(kinds: Iterable<HeaderContent>, rule: HaproxyLine): Contents {
  return new Map([...kinds].map((kind) => [kind, rule]));
}

/** What does not fit the pattern stays; what only rearranges the header stays what it is. */
function replace(
  before: Contents,
  [pattern = "", ...rest]: readonly string[],
  sources: Sources,
  rule: HaproxyLine,
): Contents {
  const format = rest.join(" ");
  const isOwnPart = /^(\\\d)+$/.test(format);
  // An entry that others stand behind, counted from the end: peers that append several wrote it.
  const cutsEntry = /\(,\[\^,\]\*\)\{\d\}\$$/.test(pattern) && before.has("claimed");
  if (isOwnPart && cutsEntry) return new Map([["named", rule]]);
  if (isOwnPart) return before;
  const added = before.has("none") && before.size === 1 ? [] : readFormat(format, sources);
  return new Map([...before, ...stamp(added, rule)]);
}

/** A del-header by name or by pattern; only what it names for certain is gone. */
function remove(
  headers: ReadonlyMap<string, Contents>,
  name: string,
  rest: readonly string[],
  rule: HaproxyLine,
): ReadonlyMap<string, Contents> {
  const gone: Contents = new Map([["none", rule]]);
  const names = new Set([...headers.keys(), ...KNOWN, name.toLowerCase()]);
  const hit = [...names].filter((header) => isNamed(header, name, rest));
  return new Map([...headers, ...hit.map((header): [string, Contents] => [header, gone])]);
}

/** Headers that a pattern may name without any rule that spells them. */
const KNOWN = [
  FORWARDED_FOR,
  "x-forwarded-proto",
  "x-real-ip",
  "forwarded",
  "x-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
];

function isNamed(header: string, name: string, rest: readonly string[]): boolean {
  const method = rest.includes("-m") ? rest[rest.indexOf("-m") + 1] : "str";
  const pattern = name.toLowerCase();
  if (method === "str") return pattern === header;
  if (method === "beg") return header.startsWith(pattern);
  if (method === "end") return header.endsWith(pattern);
  if (method === "sub") return header.includes(pattern);
  return method === "reg" && matchesPattern(name, header, true) === "yes";
}

/** A line added behind what is there. */
function combine(contents: Contents, kinds: Kinds, rule: HaproxyLine): Contents {
  const pairs = [...contents.keys()].flatMap((before) => {
    return [...kinds].map((kind): [HeaderContent, HaproxyLine] => {
      if (before === "none") return [kind, rule];
      if (before === "peer") return [kind === "peer" ? "repeated" : "appended", rule];
      if (before === "unknown" || kind === "unknown") return ["unknown", rule];
      // Behind anything else that is no address of the connection's, the client's words stay last.
      return [kind === "peer" ? "appended" : "claimed", rule];
    });
  });
  return new Map(pairs);
}

/** Whether a rule of the route names a header, and whether one of them always applies. */
export function findHeaderRules(
  route: HaproxyRoute,
  header: string,
  world: HaproxyWorld,
): { actions: readonly string[]; isCertain: boolean } {
  const applying = sectionsOf(route).flatMap((section) => {
    const acls = aclsOf(section);
    return requestRules(section)
      .filter(({ words }) => words[2]?.toLowerCase() === header.toLowerCase())
      .map(({ words }): { action: string; truth: Truth } => {
        return { action: words[1] ?? "", truth: appliesTo(words, acls, world) };
      })
      .filter(({ truth }) => truth !== "no");
  });
  return {
    actions: applying.map(({ action }) => action),
    isCertain: applying.some(({ truth }) => truth === "yes"),
  };
}
