import type { HaproxyLine } from "./haproxy-sections.ts";

/** Yes, no, or depends on what the linter cannot know. */
export type Truth = "yes" | "no" | "maybe";

/** The request that a condition is asked about. */
export type HaproxyWorld = {
  path: string;
  /** Whether the peer is one of the addresses that the configuration tells apart. */
  fromTrusted: boolean;
  isUpgrade: boolean;
};

/** Named conditions; several lines of one name are alternatives. */
export type HaproxyAcls = ReadonlyMap<string, readonly (readonly string[])[]>;

export function readAcls(lines: readonly HaproxyLine[]): HaproxyAcls {
  const acls = new Map<string, (readonly string[])[]>();
  for (const { words } of lines) {
    if (words[0] !== "acl" || words[1] === undefined) continue;
    acls.set(words[1], [...(acls.get(words[1]) ?? []), words.slice(2)]);
  }
  return acls;
}

/** Whether a rule applies; a rule without condition always does. */
export function appliesTo(words: readonly string[], acls: HaproxyAcls, world: HaproxyWorld): Truth {
  const at = words.findIndex((word) => word === "if" || word === "unless");
  if (at < 0) return "yes";
  const truth = evaluate(words.slice(at + 1), acls, world);
  return words[at] === "if" ? truth : not(truth);
}

/** A rule's words without its condition. */
export function withoutCondition(words: readonly string[]): readonly string[] {
  const at = words.findIndex((word) => word === "if" || word === "unless");
  return at < 0 ? words : words.slice(0, at);
}

function not(truth: Truth): Truth {
  return truth === "maybe" ? "maybe" : truth === "yes" ? "no" : "yes";
}

function all(truths: readonly Truth[]): Truth {
  if (truths.includes("no")) return "no";
  return truths.includes("maybe") ? "maybe" : "yes";
}

function any(truths: readonly Truth[]): Truth {
  if (truths.includes("yes")) return "yes";
  return truths.includes("maybe") ? "maybe" : "no";
}

/** Terms are joined by "and"; "or" separates groups of them. */
function evaluate(words: readonly string[], acls: HaproxyAcls, world: HaproxyWorld): Truth {
  const groups: Truth[][] = [[]];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "or" || word === "||") {
      groups.push([]);
    } else if (word !== "and" && word !== "&&") {
      const negated = word.startsWith("!");
      const bare = negated && word.length > 1 ? word.slice(1) : word;
      const isAnonymous = bare === "{" || (word === "!" && words[at + 1] === "{");
      const start = word === "!" ? at + 1 : at;
      const end = isAnonymous ? words.indexOf("}", start) : at;
      const truth = isAnonymous
        ? evaluateTest(words.slice(start + 1, end < 0 ? undefined : end), world)
        : evaluateAcl(bare, acls, world);
      groups.at(-1)?.push(negated ? not(truth) : truth);
      if (isAnonymous) at = end < 0 ? words.length : end;
    }
  }
  return any(groups.map(all));
}

function evaluateAcl(name: string, acls: HaproxyAcls, world: HaproxyWorld): Truth {
  const fixed = { TRUE: "yes", HTTP: "yes", FALSE: "no" } as const;
  const tests = acls.get(name);
  if (tests !== undefined) return any(tests.map((test) => evaluateTest(test, world)));
  return Object.entries(fixed).find(([known]) => known === name)?.[1] ?? "maybe";
}

const MATCHERS: Record<string, (path: string, pattern: string) => boolean> = {
  str: (path, pattern) => path === pattern,
  beg: (path, pattern) => path.startsWith(pattern),
  end: (path, pattern) => path.endsWith(pattern),
  sub: (path, pattern) => path.includes(pattern),
  dir: (path, pattern) => `${path}/`.includes(`/${pattern.replace(/^\/|\/$/g, "")}/`),
  reg: (path, pattern) => new RegExp(pattern).test(path),
};

/** One test: a fetch, flags, and the patterns of which one must match. */
function evaluateTest(words: readonly string[], world: HaproxyWorld): Truth {
  const [fetch = "", ...rest] = words;
  const { patterns, method, ignoresCase, isFile } = readFlags(rest);
  if (fetch === "always_true") return "yes";
  if (fetch === "always_false") return "no";
  if (fetch === "src") return isEverybody(patterns) || world.fromTrusted ? "yes" : "no";
  if (/^(req\.)?s?hdr\(upgrade\)/i.test(fetch)) return world.isUpgrade ? "yes" : "no";
  const match = /^(path|url|base|capture\.req\.uri|pathq)(?:_(beg|end|sub|dir|reg))?$/.exec(fetch);
  if (match === null || isFile) return "maybe";
  const matcher = MATCHERS[match[2] ?? method ?? "str"];
  if (matcher === undefined) return "maybe";
  const fold = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  try {
    return patterns.some((pattern) => matcher(fold(world.path), fold(pattern))) ? "yes" : "no";
  } catch {
    return "maybe";
  }
}

function isEverybody(patterns: readonly string[]): boolean {
  return patterns.some((pattern) => pattern.endsWith("/0"));
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
