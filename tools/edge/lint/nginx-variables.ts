import type { NginxScope } from "./nginx-places.ts";
import type { NginxDirective } from "./nginx-tree.ts";

/** How variables come by their values: all map, geo and set directives of the whole tree. */
export type NginxVariables = ReadonlyMap<string, readonly Definition[]>;

/** One of the ways in which a variable comes by its value. */
export type Definition = {
  name: string;
  /** What a map or geo chooses by. */
  source: string;
  outputs: readonly { key: string; value: string }[];
};

/** Collects every variable that the configuration defines. */
export function readNginxVariables(directives: readonly NginxDirective[]): NginxVariables {
  const variables = new Map<string, readonly Definition[]>();
  const visit = (directive: NginxDirective) => {
    const definition = readDefinition(directive);
    if (definition !== undefined) {
      const { name } = definition;
      variables.set(name, [...(variables.get(name) ?? []), definition]);
    }
    for (const child of directive.block ?? []) visit(child);
  };
  for (const directive of directives) visit(directive);
  return variables;
}

/** Parameters of map and geo that are no entries. */
const PARAMETERS = ["hostnames", "volatile", "ranges", "delete", "proxy", "proxy_recursive"];

function readDefinition({ name, args, block }: NginxDirective): Definition | undefined {
  if (name === "set" && args.length === 2) {
    const outputs = [{ key: "default", value: args[1] ?? "" }];
    return { name: nameOf(args[0] ?? ""), source: "", outputs };
  }
  if ((name !== "map" && name !== "geo") || block === undefined) return undefined;
  const source = args.length > 1 ? (args[0] ?? "") : "$remote_addr";
  const outputs = block
    .filter((entry) => entry.args.length > 0 && !PARAMETERS.includes(entry.name))
    .map((entry) => ({ key: entry.name, value: entry.args[0] ?? "" }));
  return { name: nameOf(args.at(-1) ?? ""), source, outputs };
}

function nameOf(text: string): string {
  return text.replace(/^\$\{?|\}$/g, "");
}

/** The variables that a value refers to. */
export function variablesIn(value: string): string[] {
  return [...value.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?/g)].map((match) => match[1] ?? "");
}

/**
 * The variables as they are in one place. "set" is carried out as a request passes by, and a
 * request can come from other locations: any definition can be the one, the worst included.
 * Only what a location sets itself, whatever the request, is certain.
 */
export function variablesAt(variables: NginxVariables, scope: NginxScope): NginxVariables {
  const own = scope.find(({ directive }) => directive?.name === "location")?.children ?? [];
  const result = new Map(variables);
  let isCertain = true;
  for (const directive of own) {
    if (["break", "return", "rewrite"].includes(directive.name)) isCertain = false;
    const definition = readDefinition(directive);
    if (directive.name === "set" && definition !== undefined) {
      const { name, outputs } = definition;
      const dependsOnItself = outputs.some(({ value }) => variablesIn(value).includes(name));
      if (isCertain && !dependsOnItself) result.set(name, [definition]);
      else result.set(name, variables.get(name) ?? []);
    }
    if (directive.name === "if") {
      const inside = directive.block ?? [];
      if (inside.some(({ name }) => ["break", "rewrite"].includes(name))) isCertain = false;
      for (const { name } of inside.flatMap((child) => readDefinition(child) ?? [])) {
        result.set(name, variables.get(name) ?? []);
      }
    }
  }
  return result;
}

/** Whether a text of a map's entry is a part that its regular expression cut out of the source. */
export function isCapture(value: string, variables: NginxVariables): boolean {
  if (/\$\d/.test(value)) return true;
  return variablesIn(value).some((name) => !variables.has(name) && !isBuiltIn(name));
}

export const PEER_VARIABLES = ["remote_addr", "realip_remote_addr", "binary_remote_addr"];

function isBuiltIn(name: string): boolean {
  return (
    PEER_VARIABLES.includes(name) ||
    ["proxy_add_x_forwarded_for", "scheme"].includes(name) ||
    isClientsWord(name)
  );
}

const REQUEST_VARIABLES = [
  "args",
  "content_type",
  "document_uri",
  "host",
  "query_string",
  "remote_user",
  "request",
  "request_body",
  "request_uri",
  "uri",
];

/** Whether a built-in variable holds what the client wrote. */
export function isClientsWord(name: string): boolean {
  return /^(http|arg|cookie|sent_http)_/.test(name) || REQUEST_VARIABLES.includes(name);
}

/** All that a value can be made of, with every variable followed to all of its definitions. */
export function followValue(
  value: string,
  variables: NginxVariables,
): { names: ReadonlySet<string>; texts: ReadonlySet<string> } {
  const names = new Set<string>();
  const texts = new Set([value]);
  // What is added while this runs is looked at as well, and nothing is added twice.
  for (const text of texts) {
    for (const name of variablesIn(text)) {
      names.add(name);
      for (const definition of variables.get(name) ?? []) {
        for (const output of definition.outputs) {
          texts.add(output.value);
          if (isCapture(output.value, variables)) texts.add(definition.source);
        }
      }
    }
  }
  return { names, texts };
}
