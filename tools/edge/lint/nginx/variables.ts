import type { NginxScope } from "./places.ts";
import type { NginxDirective } from "./tree.ts";

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

/** Directives that fill their first argument by a program, or from another server's answer. */
const UNFOLLOWED = [
  ...["set_by_lua", "set_by_lua_block", "set_by_lua_file"],
  ...["js_set", "perl_set", "auth_request_set"],
];

function readDefinition({ name, args, block }: NginxDirective): Definition | undefined {
  if (name === "set" && args.length === 2) {
    const outputs = [{ key: "default", value: args[1] ?? "" }];
    return { name: nameOf(args[0] ?? ""), source: "", outputs };
  }
  if (UNFOLLOWED.includes(name)) {
    const outputs = [{ key: "default", value: `$unfollowed_${name}` }];
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
const ADDRESS_VARIABLES = [...PEER_VARIABLES, "proxy_protocol_addr", "proxy_add_x_forwarded_for"];

function isBuiltIn(name: string): boolean {
  return ADDRESS_VARIABLES.includes(name) || isClientsWord(name) || isServersWord(name);
}

/** Whether a built-in variable holds something that names no client, and that no client chooses. */
export function isServersWord(name: string): boolean {
  return SERVERS_VARIABLES.test(name);
}

const SERVERS_VARIABLES =
  /^(scheme|https|hostname|server_(name|addr|port|protocol)|proxy_(host|port)|proxy_protocol_(port|server_\w+)|nginx_version|pid|msec|time_(iso8601|local)|request_(id|method|length|time|completion)|connection(_requests|_time)?|connections_\w+|remote_port|realip_remote_port|status|pipe|tcpinfo_\w+|ssl_(protocol|cipher|ciphers|curves?|session_\w+|client_verify|early_data)|document_root|realpath_root|limit_rate|is_args|http2|http3|quic|bytes_sent|body_bytes_sent|upstream_(addr|status|response_\w+|connect_time|header_time))$/;

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

/** The variables by which a value is chosen, those that maps choose by included. */
export function followSources(value: string, variables: NginxVariables): ReadonlySet<string> {
  const names = new Set(variablesIn(value));
  // What is added while this runs is looked at as well.
  for (const name of names) {
    for (const { source, outputs } of variables.get(name) ?? []) {
      const texts = [source, ...outputs.map((output) => output.value)];
      for (const used of texts.flatMap(variablesIn)) names.add(used);
    }
  }
  return names;
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
