import { matchesPattern } from "../portable-regex.ts";
import { isAmong } from "../trusted-range.ts";
import { allOf, anyOf, not, type Truth, truthOf } from "../truth.ts";
import type { HaproxyLine } from "./sections.ts";

/** Answers to tests that nobody can answer here. */
export type Assumptions = ReadonlyMap<string, boolean>;

/** The request that a condition is asked about. */
export type HaproxyWorld = {
  path: string;
  /** Whether the peer is one of the addresses that the configuration tells apart. */
  fromTrusted: boolean;
  /** Whether the request asks for a websocket. */
  isUpgrade: boolean;
  /** Of tests that give the same answer wherever they stand. */
  assumed: Assumptions;
};

type Test = readonly string[];

/** Named conditions; several lines of one name are alternatives. */
export type HaproxyAcls = ReadonlyMap<string, readonly Test[]>;

export function readAcls(lines: readonly HaproxyLine[]): HaproxyAcls {
  const acls = new Map<string, Test[]>();
  for (const { words } of lines) {
    if (words[0] !== "acl" || words[1] === undefined) continue;
    acls.set(words[1], [...(acls.get(words[1]) ?? []), words.slice(2)]);
  }
  return acls;
}

/** Whether a rule applies; a rule without condition always does. */
export function appliesTo(words: readonly string[], acls: HaproxyAcls, world: HaproxyWorld): Truth {
  const at = findCondition(words);
  if (at < 0) return "yes";
  const groups = readCondition(words.slice(at + 1), acls);
  const truth = anyOf(groups.map((terms) => allOf(terms.map((term) => evaluate(term, world)))));
  return words[at] === "if" ? truth : not(truth);
}

/** A rule's words without its condition. */
export function withoutCondition(words: readonly string[]): readonly string[] {
  const at = findCondition(words);
  return at < 0 ? words : words.slice(0, at);
}

/** Every test in a rule's condition, those behind names included. */
export function findTests(words: readonly string[], acls: HaproxyAcls): readonly Test[] {
  const at = findCondition(words);
  if (at < 0) return [];
  return readCondition(words.slice(at + 1), acls).flatMap((terms) => {
    return terms.flatMap(({ tests }) => tests);
  });
}

/** What a test is called among the assumptions. */
export function nameOf(test: Test): string {
  return test.join(" ");
}

function findCondition(words: readonly string[]): number {
  return words.findIndex((word) => word === "if" || word === "unless");
}

/** One of the tests must hold, or none. */
type Term = { isNegated: boolean; tests: readonly Test[] };

/** Terms are joined by "and"; "or" separates groups of them. */
function readCondition(words: readonly string[], acls: HaproxyAcls): Term[][] {
  const groups: Term[][] = [[]];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "or" || word === "||") {
      groups.push([]);
    } else if (word !== "and" && word !== "&&") {
      const isNegated = word.startsWith("!");
      const bare = isNegated && word.length > 1 ? word.slice(1) : word;
      const isAnonymous = bare === "{" || (word === "!" && words[at + 1] === "{");
      const start = word === "!" ? at + 1 : at;
      const end = isAnonymous ? words.indexOf("}", start) : at;
      const tests = isAnonymous
        ? [words.slice(start + 1, end < 0 ? undefined : end)]
        : readNamed(bare, acls);
      groups.at(-1)?.push({ isNegated, tests });
      if (isAnonymous) at = end < 0 ? words.length : end;
    }
  }
  return groups;
}

function readNamed(name: string, acls: HaproxyAcls): readonly Test[] {
  const fixed = { TRUE: "always_true", HTTP: "always_true", FALSE: "always_false" } as const;
  const known = Object.entries(fixed).find(([one]) => one === name)?.[1];
  return acls.get(name) ?? [[known ?? name]];
}

function evaluate({ isNegated, tests }: Term, world: HaproxyWorld): Truth {
  const truth = anyOf(tests.map((test) => evaluateTest(test, world)));
  return isNegated ? not(truth) : truth;
}

/** One test: a fetch, flags, and the patterns of which one must match. */
function evaluateTest(words: Test, world: HaproxyWorld): Truth {
  const truth = answer(words, world);
  const assumed = world.assumed.get(nameOf(words));
  return truth === "maybe" && assumed !== undefined ? truthOf(assumed) : truth;
}

function answer(words: Test, world: HaproxyWorld): Truth {
  const [fetch = "", ...rest] = words;
  const flags = readFlags(rest);
  const { patterns } = flags;
  if (fetch === "always_true") return "yes";
  if (fetch === "always_false") return "no";
  if (fetch === "src") return isAmong(patterns, world.fromTrusted);
  if (/^(req\.)?s?hdr\(upgrade\)$/i.test(fetch)) return asksForUpgrade(patterns, world);
  return answerPath(fetch, flags, world.path);
}

function asksForUpgrade(patterns: readonly string[], world: HaproxyWorld): Truth {
  if (patterns.some((pattern) => pattern.toLowerCase() === "websocket")) {
    return truthOf(world.isUpgrade);
  }
  return world.isUpgrade && patterns.length === 0 ? "yes" : "maybe";
}

const METHODS: Record<string, (path: string, pattern: string) => boolean> = {
  str: (path, pattern) => path === pattern,
  beg: (path, pattern) => path.startsWith(pattern),
  end: (path, pattern) => path.endsWith(pattern),
  sub: (path, pattern) => path.includes(pattern),
  dir: (path, pattern) => `${path}/`.includes(`/${pattern.replace(/^\/|\/$/g, "")}/`),
};

/**
 * What a client can change beside the path makes an answer uncertain: it can write the whole URL
 * into the request line, and any query behind the path.
 */
function answerPath(fetch: string, flags: Flags, path: string): Truth {
  const match =
    /^(path|pathq|url|capture\.req\.uri)(?:_(beg|end|sub|dir|reg))?((?:,lower|,url_dec(?:\(\w*\))?)*)$/.exec(
      fetch,
    );
  if (match === null || flags.isFile) return "maybe";
  const [, what = "", suffix, converters = ""] = match;
  const method = suffix ?? flags.method ?? "str";
  const ignoresCase = flags.ignoresCase;
  const text = converters.includes("lower") ? path.toLowerCase() : path;
  const truth = anyOf(flags.patterns.map((one) => matches(method, text, one, ignoresCase)));
  if (what === "path") return truth;
  const isAboutStart = method === "beg" || method === "str";
  if (truth === "no" && isAboutStart) return "no";
  return truth === "yes" && what === "pathq" && ["beg", "sub", "dir"].includes(method)
    ? "yes"
    : "maybe";
}

function matches(method: string, path: string, pattern: string, ignoresCase: boolean): Truth {
  if (method === "reg") return matchesPattern(pattern, path, ignoresCase);
  const matcher = METHODS[method];
  if (matcher === undefined) return "maybe";
  const fold = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  return truthOf(matcher(fold(path), fold(pattern)));
}

type Flags = {
  patterns: readonly string[];
  method: string | undefined;
  ignoresCase: boolean;
  isFile: boolean;
};

function readFlags(words: readonly string[]): Flags {
  const patterns: string[] = [];
  let method: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "-m") {
      at += 1;
      method = words[at];
    } else if (word === "--") {
      patterns.push(...words.slice(at + 1));
      break;
    } else if (!word.startsWith("-")) {
      patterns.push(word);
    }
  }
  const ignoresCase = words.includes("-i");
  const isFile = words.includes("-f");
  return { patterns, method, ignoresCase, isFile };
}
