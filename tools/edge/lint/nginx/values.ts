import {
  type Definition,
  isCapture,
  isClientsWord,
  isServersWord,
  type NginxVariables,
  PEER_VARIABLES,
  variablesIn,
} from "./variables.ts";

/** What a header value is made of, as far as identity is concerned. */
export type ValueShape =
  /** The address of the client: of the connection, or what a CDN said in its place. */
  | { kind: "peer" }
  /** The address of the connection, whatever a CDN said. */
  | { kind: "connection" }
  /** The address that the PROXY protocol named. */
  | { kind: "announced" }
  /** The client's address and port, with nothing to tell them apart where the address is IPv6. */
  | { kind: "with-port" }
  /** The same in brackets, in which only an IPv6 address may stand. */
  | { kind: "bracketed" }
  /** An address with something around it, or in a form that is no text. */
  | { kind: "garbled" }
  /** The address behind what the client sent. */
  | { kind: "appended" }
  /** What the client sent. */
  | { kind: "client" }
  | { kind: "empty" }
  | { kind: "constant" }
  /** What nothing in these files defines. */
  | { kind: "unknown"; name: string }
  /** Chosen by the peer's address: one shape for trusted peers, one for all others. */
  | { kind: "guarded"; trusted: ValueShape; others: ValueShape };

/** What a value means for identity, with every variable followed to all of its definitions. */
export function shapeOf(
  value: string,
  variables: NginxVariables,
  followed: readonly string[] = [],
): ValueShape {
  if (value === "") return { kind: "empty" };
  const port = /^(\[?)\$\{?remote_addr\}?\]?:\$\{?(?:remote|realip_remote)_port\}?$/.exec(value);
  if (port !== null) return { kind: port[1] === "[" ? "bracketed" : "with-port" };
  const names = variablesIn(value);
  const shapes = names.map((name) => shapeOfVariable(name, variables, followed));
  if (/^\$(\w+|\{\w+\})$/.test(value)) return shapes[0] ?? { kind: "constant" };
  const kinds = new Set(shapes.map(kindWithin));
  const hasAddress = ADDRESSES.some((kind) => kinds.has(kind));
  if (kinds.has("appended") || kinds.has("guarded") || (kinds.has("client") && hasAddress)) {
    return { kind: "appended" };
  }
  if (kinds.has("client")) return { kind: "client" };
  const unknown = shapes.find(({ kind }) => kind === "unknown");
  return unknown ?? { kind: hasAddress ? "garbled" : "constant" };
}

const ADDRESSES = [
  ...(["peer", "connection", "announced"] as const),
  ...(["with-port", "bracketed", "garbled"] as const),
];

/** Beside other text, a constant that is chosen by the peer is a constant. */
function kindWithin(shape: ValueShape): ValueShape["kind"] {
  if (shape.kind !== "guarded") return shape.kind;
  const isConstant = [shape.trusted, shape.others].every(({ kind }) => kind === "constant");
  return isConstant ? "constant" : "guarded";
}

function shapeOfVariable(
  name: string,
  variables: NginxVariables,
  followed: readonly string[],
): ValueShape {
  if (name === "remote_addr") return { kind: "peer" };
  if (name === "realip_remote_addr") return { kind: "connection" };
  if (name === "binary_remote_addr") return { kind: "garbled" };
  if (name === "proxy_protocol_addr") return { kind: "announced" };
  if (name === "proxy_add_x_forwarded_for") return { kind: "appended" };
  if (isClientsWord(name)) return { kind: "client" };
  // Definitions that refer to each other in a circle have no value.
  if (followed.includes(name)) return { kind: "constant" };
  const shapes = (variables.get(name) ?? []).map((definition) => {
    return shapeOfDefinition(definition, variables, [...followed, name]);
  });
  return worst(shapes) ?? (isServersWord(name) ? { kind: "constant" } : { kind: "unknown", name });
}

function shapeOfDefinition(
  definition: Definition,
  variables: NginxVariables,
  followed: readonly string[],
): ValueShape {
  const [first] = definition.outputs;
  // "set" has no source: a numbered part is cut out of the path, or of what an "if" looked at.
  if (definition.source === "" && first !== undefined) {
    return /\$\d/.test(first.value)
      ? { kind: "client" }
      : shapeOf(first.value, variables, followed);
  }
  const shapes = definition.outputs.map(({ key, value }) => {
    const text = isCapture(value, variables) ? definition.source : value;
    return { key, shape: shapeOf(text, variables, followed) };
  });
  const others = shapes.find(({ key }) => key === "default")?.shape ?? { kind: "empty" };
  const trusted = worst(shapes.filter(({ key }) => key !== "default").map(({ shape }) => shape));
  if (trusted === undefined) return others;
  if (dependsOnPeer(definition, variables, followed)) return { kind: "guarded", trusted, others };
  return worst([trusted, others]) ?? others;
}

/** Of several possible values, the one that says most about what a client can do. */
function worst(shapes: readonly ValueShape[]): ValueShape | undefined {
  const order = [
    ...["appended", "client", "guarded", "unknown", "constant"],
    ...["garbled", "bracketed", "with-port", "connection", "announced", "peer", "empty"],
  ];
  return order.map((kind) => shapes.find((shape) => shape.kind === kind)).find(Boolean);
}

/** Whether what is chosen here is chosen by the address of the connection. */
function dependsOnPeer(
  { source }: Definition,
  variables: NginxVariables,
  followed: readonly string[],
): boolean {
  return variablesIn(source).some((name) => {
    if (PEER_VARIABLES.includes(name)) return true;
    const definitions = followed.includes(name) ? [] : (variables.get(name) ?? []);
    return (
      definitions.length > 0 &&
      definitions.every((one) => dependsOnPeer(one, variables, [...followed, name]))
    );
  });
}
