import type { HeaderContent } from "../header-content.ts";
import { applies, type CaddyScope, type CaddyWorld, findMap, outputsOf } from "./matchers.ts";
import type { CaddyDirective } from "./tree.ts";

/** A reverse_proxy with the blocks around it, the innermost first. */
export type CaddyProxy = {
  directive: CaddyDirective;
  around: readonly CaddyDirective[];
  scope: CaddyScope;
  /** What the whole server believes. */
  trust: CaddyTrust;
};

export type CaddyTrust = {
  /** Whether some peers' X-Forwarded-For is kept and added to. */
  isTrusting: boolean;
  /** Whether the client's address is read from the right, or from a header with one address. */
  isStrict: boolean;
};

/** Each possible content, with the directive that made it. */
export type Contents = ReadonlyMap<HeaderContent, CaddyDirective | undefined>;

type Kinds = ReadonlySet<HeaderContent>;

/** Follows a header through what Caddy does by itself and what it is told to do. */
export function followHeader(name: string, proxy: CaddyProxy, fromTrusted: boolean): Contents {
  const header = name.toLowerCase();
  const world = { path: undefined, fromTrusted };
  let contents = arrives(header, proxy, world);
  const lines = proxy.directive.block.filter(({ words }) => words[0] === "header_up");
  // Caddy adds, sets, deletes and replaces in this order, wherever the lines stand.
  for (const kind of ["add", "set", "delete", "replace"] as const) {
    for (const line of lines.filter(({ words }) => kindOf(words) === kind)) {
      const value = line.words[kind === "replace" ? 3 : 2] ?? "";
      contents = change(contents, header, line, 1, readValue(value, proxy, world));
    }
  }
  return contents;
}

type Kind = "add" | "set" | "delete" | "replace";

function kindOf([, name = "", ...values]: readonly string[]): Kind {
  if (name.startsWith("-")) return "delete";
  if (name.startsWith("+")) return "add";
  return values.length > 1 ? "replace" : "set";
}

function change(
  before: Contents,
  header: string,
  directive: CaddyDirective,
  at: number,
  kinds: Kinds,
): Contents {
  const name = directive.words[at] ?? "";
  if (!names(name, header)) return before;
  switch (kindOf(directive.words.slice(at - 1))) {
    case "delete":
      return new Map([["none", directive]]);
    case "add":
      return new Map([["appended", directive]]);
    case "set":
      return stamp(kinds, directive);
    case "replace":
      // What does not fit the pattern stays.
      return new Map([...before, ...stamp(kinds, directive)]);
  }
}

function stamp(kinds: Kinds, directive: CaddyDirective): Contents {
  return new Map([...kinds].map((kind) => [kind, directive]));
}

/** Whether a name, with a "*" at either end or both, is this header's. */
function names(name: string, header: string): boolean {
  const pattern = name.replace(/^[+\-?>]+/, "").toLowerCase();
  const inner = pattern.replace(/^\*|\*$/g, "");
  if (pattern.startsWith("*") && pattern.endsWith("*")) return header.includes(inner);
  if (pattern.startsWith("*")) return header.endsWith(inner);
  return pattern.endsWith("*") ? header.startsWith(inner) : header === pattern;
}

/** A header before any header_up: Caddy writes three by itself, of those that concern identity two. */
function arrives(header: string, proxy: CaddyProxy, world: CaddyWorld): Contents {
  const isKept = proxy.trust.isTrusting && world.fromTrusted;
  if (header === "x-forwarded-for") return new Map([[isKept ? "appended" : "peer", undefined]]);
  if (header === "x-forwarded-proto" && !isKept) return new Map([["constant", undefined]]);
  let contents: Contents = new Map([["client", undefined]]);
  for (const block of proxy.scope.toReversed()) {
    for (const directive of block.filter(({ words }) => words[0] === "request_header")) {
      const truth = applies(directive, proxy.scope, world);
      const at = /^[@/*]/.test(directive.words[1] ?? "") && directive.words.length > 2 ? 2 : 1;
      const kinds = readValue(directive.words[at + 1] ?? "", proxy, world);
      const next = change(contents, header, directive, at, kinds);
      if (truth === "yes") contents = next;
      if (truth === "maybe") contents = new Map([...contents, ...next]);
    }
  }
  return contents;
}

/** Placeholders that a client has no say in. */
const OWN =
  /^(\$.*|(http\.request\.)?scheme|env\..*|system\..*|time\..*|http\.request\.local.*|http\.request\.tls\.(version|cipher_suite)|http\.reverse_proxy\..*|upstream_hostport)$/;

function readValue(value: string, proxy: CaddyProxy, world: CaddyWorld): Kinds {
  const placeholders = [...value.matchAll(/\{([^{}]+)\}/g)];
  const parts = placeholders.map(([, name = ""]) => readPlaceholder(name, proxy, world));
  const [first] = parts;
  if (first === undefined) return new Set(["constant"]);
  if (placeholders[0]?.[0] === value.trim()) return first;
  const kinds = parts.flatMap((part) => [...part]);
  const peers = kinds.filter((kind) => kind === "peer");
  const isClients = kinds.some((kind) => kind === "named" || kind === "claimed");
  if (kinds.includes("unknown")) return new Set(["unknown"]);
  if (isClients) return new Set([peers.length > 0 ? "appended" : "claimed"]);
  return new Set([peers.length > 1 ? "repeated" : "constant"]);
}

function readPlaceholder(name: string, proxy: CaddyProxy, world: CaddyWorld): Kinds {
  if (/^(http\.request\.)?remote(_host|\.host)?$/.test(name)) return new Set(["peer"]);
  if (/^(http\.(vars|request)\.)?client_ip$/.test(name)) {
    const isNamed = proxy.trust.isTrusting && world.fromTrusted;
    // Caddy reads the list from the left, where the client's own words stand, unless it is told.
    const named = proxy.trust.isStrict ? "named" : "claimed";
    return new Set([isNamed ? named : "peer"]);
  }
  const header = /^(?:http\.request\.)?header\.(.+)$/.exec(name)?.[1];
  if (header !== undefined) {
    return new Set([header.toLowerCase() === "x-forwarded-for" ? "claimed" : "named"]);
  }
  const variable = /^(?:http\.)?vars\.(.+)$/.exec(name)?.[1];
  if (variable !== undefined) return readVariable(variable, proxy, world);
  const map = findMap(`{${name}}`, proxy.scope);
  if (map !== undefined) return readMapped(map, `{${name}}`, proxy, world);
  if (OWN.test(name)) return new Set(["constant"]);
  return new Set([CLIENTS.test(name) ? "named" : "unknown"]);
}

/** Placeholders that a client fills as it likes. */
const CLIENTS =
  /^((http\.request\.)?(header|query|uri|path|host|hostport|cookie|method|body|orig_\w+|tls\.client|port|dir|file|labels|re)\b|http\.(regexp|auth)\b|re\.|tls_client_)/;

/** What a variable can hold; those set for some requests come after those set for all. */
function readVariable(name: string, proxy: CaddyProxy, world: CaddyWorld): Kinds {
  const settings = proxy.scope
    .flat()
    .filter(({ words }) => words[0] === "vars")
    .flatMap((directive) => {
      const truth = applies(directive, proxy.scope, world);
      const pairs = [directive.words.slice(-2), ...directive.block.map(({ words }) => words)];
      const found = pairs.find(([key]) => key === name);
      return found === undefined ? [] : [{ truth, value: found[1] ?? "", directive }];
    });
  const isForAll = ({ directive }: (typeof settings)[number]) => {
    return !/^[@/]/.test(directive.words[1] ?? "");
  };
  let kinds: Kinds = new Set(["constant"]);
  for (const { truth, value } of [
    ...settings.filter(isForAll),
    ...settings.filter((one) => !isForAll(one)),
  ]) {
    if (truth === "no") continue;
    const next = readValue(value, proxy, world);
    kinds = truth === "yes" ? next : new Set([...kinds, ...next]);
  }
  return kinds;
}

/** What a map makes of a header; only a pattern that reaches the end takes a list's last entry. */
function readMapped(
  map: CaddyDirective,
  placeholder: string,
  proxy: CaddyProxy,
  world: CaddyWorld,
): Kinds {
  const source = /^\{(.+)\}$/.exec(map.words[1] ?? "")?.[1] ?? "";
  const kinds = readPlaceholder(source, proxy, world);
  const outputs = outputsOf(map, placeholder).filter(({ output }) => output !== "");
  return new Set(
    outputs.flatMap(({ input, output }): HeaderContent[] => {
      if (!output.includes("{")) return ["constant"];
      if (!/^\$\{.+\}$/.test(output)) return [...readValue(output, proxy, world)];
      const takesLast = input.startsWith("~") && input.endsWith("$");
      return [...kinds].map((kind) => (kind === "claimed" && takesLast ? "named" : kind));
    }),
  );
}
