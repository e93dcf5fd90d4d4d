import type { NginxDirective } from "./nginx-tree.ts";

/** What a header value is made of, as far as identity is concerned. */
export type ValueShape =
  /** The address of the connection, and nothing else. */
  | { kind: "peer" }
  /** The address behind what the client sent. */
  | { kind: "appended" }
  /** What the client sent. */
  | { kind: "client" }
  | { kind: "empty" }
  | { kind: "constant" }
  /** Chosen by the peer's address: one shape for trusted peers, one for all others. */
  | { kind: "guarded"; trusted: ValueShape; others: ValueShape };

/** How variables come by their values: map, geo and set directives of the whole tree. */
export type NginxVariables = ReadonlyMap<string, Definition>;

type Definition = {
  directive: NginxDirective;
  kind: "map" | "geo" | "set";
  source: string;
  outputs: readonly { key: string; value: string }[];
};

/** Definitions that refer to each other in a circle have no value. */
const DEPTH_MAX = 8;

/** Collects every variable that the configuration defines. */
export function readNginxVariables(directives: readonly NginxDirective[]): NginxVariables {
  const variables = new Map<string, Definition>();
  const visit = (directive: NginxDirective) => {
    const definition = readDefinition(directive);
    if (definition !== undefined) variables.set(definition.name, definition);
    for (const child of directive.block ?? []) visit(child);
  };
  for (const directive of directives) visit(directive);
  return variables;
}

function readDefinition(directive: NginxDirective): (Definition & { name: string }) | undefined {
  const { name, args, block } = directive;
  if (name === "set" && args.length === 2) {
    const outputs = [{ key: "default", value: args[1] ?? "" }];
    return { name: nameOf(args[0] ?? ""), directive, kind: "set", source: "", outputs };
  }
  if ((name !== "map" && name !== "geo") || block === undefined) return undefined;
  const target = args.at(-1) ?? "";
  const source = args.length > 1 ? (args[0] ?? "") : "$remote_addr";
  const outputs = block
    .filter((entry) => entry.args.length > 0)
    .map((entry) => ({ key: entry.name, value: entry.args[0] ?? "" }));
  return { name: nameOf(target), directive, kind: name, source, outputs };
}

function nameOf(text: string): string {
  return text.replace(/^\$\{?|\}$/g, "");
}

/** The variables that a value refers to. */
export function variablesIn(value: string): string[] {
  return [...value.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?/g)].map((match) => match[1] ?? "");
}

const PEER_VARIABLES = ["remote_addr", "realip_remote_addr", "binary_remote_addr"];

/** What a value means for identity, with every variable followed to its definition. */
export function shapeOf(value: string, variables: NginxVariables, depth = 0): ValueShape {
  if (value === "") return { kind: "empty" };
  if (depth > DEPTH_MAX) return { kind: "constant" };
  const names = variablesIn(value);
  const alone = names.length === 1 && value.replace(/^\$\{?\w+\}?$/, "") === "";
  const shapes = names.map((name) => shapeOfVariable(name, variables, depth));
  if (alone) return shapes[0] ?? { kind: "constant" };
  const kinds = new Set(shapes.map(({ kind }) => kind));
  if (kinds.has("appended") || (kinds.has("client") && kinds.has("peer"))) {
    return { kind: "appended" };
  }
  return { kind: kinds.has("client") ? "client" : kinds.has("peer") ? "peer" : "constant" };
}

function shapeOfVariable(name: string, variables: NginxVariables, depth: number): ValueShape {
  if (PEER_VARIABLES.includes(name)) return { kind: "peer" };
  if (name === "proxy_add_x_forwarded_for") return { kind: "appended" };
  if (isClients(name)) return { kind: "client" };
  const definition = variables.get(name);
  if (definition === undefined) return { kind: "constant" };
  const shapes = definition.outputs.map(({ key, value }) => {
    const shape = isCapture(value, variables)
      ? shapeOf(definition.source, variables, depth + 1)
      : shapeOf(value, variables, depth + 1);
    return { key, shape };
  });
  const others = shapes.find(({ key }) => key === "default")?.shape ?? { kind: "empty" };
  const trusted = worst(shapes.filter(({ key }) => key !== "default").map(({ shape }) => shape));
  if (trusted === undefined) return others;
  if (dependsOnPeer(definition, variables, depth)) return { kind: "guarded", trusted, others };
  return worst([trusted, others]) ?? others;
}

/** Of several possible values, the one that says most about what a client can do. */
function worst(shapes: readonly ValueShape[]): ValueShape | undefined {
  const order = ["appended", "client", "guarded", "constant", "peer", "empty"] as const;
  return order.map((kind) => shapes.find((shape) => shape.kind === kind)).find(Boolean);
}

/** A part that a map's regular expression cut out of its source. */
function isCapture(value: string, variables: NginxVariables): boolean {
  if (/\$\d/.test(value)) return true;
  return variablesIn(value).some((name) => !variables.has(name) && !isBuiltIn(name));
}

function isBuiltIn(name: string): boolean {
  return PEER_VARIABLES.includes(name) || name === "proxy_add_x_forwarded_for" || isClients(name);
}

function isClients(name: string): boolean {
  return /^(http|arg|cookie|sent_http)_/.test(name) || name === "args";
}

/** Whether what is chosen here is chosen by the address of the connection. */
function dependsOnPeer(definition: Definition, variables: NginxVariables, depth: number): boolean {
  return variablesIn(definition.source).some((name) => {
    if (PEER_VARIABLES.includes(name)) return true;
    const source = variables.get(name);
    return source !== undefined && depth < DEPTH_MAX && dependsOnPeer(source, variables, depth + 1);
  });
}
