import { ANYTHING } from "./pattern.ts";
import type { NginxScope } from "./places.ts";
import type { NginxDirective } from "./tree.ts";
import { isClientsWord, type NginxVariables, variablesAt } from "./variables.ts";

/** A text with variables in it, in its pieces. */
type Piece = { text: string } | { name: string };

/** The path that something is sent to, as far as the configuration says. */
export type Target =
  /** The path that came in. */
  | { kind: "same" }
  /** This path, whatever came in. */
  | { kind: "fixed"; path: string }
  /** What came in, with this in the place of the location's prefix. */
  | { kind: "mapped"; prefix: string }
  /** Any path that this matches. */
  | { kind: "pattern"; regex: RegExp }
  /** Wherever the client likes. */
  | { kind: "anywhere" };

/** Definitions can multiply; what has more values than this counts as having any. */
const ALTERNATIVES_MAX = 32;

/** What is known where a text is read. */
export type TargetWorld = {
  variables: NginxVariables;
  /** What the parts that a pattern cut out can hold, by their number. */
  groups: readonly string[];
  /** The path as the client asked for it, and as it is now. */
  asked: string | undefined;
  path: string | undefined;
};

/** Reads where a directive that forwards sends requests. */
export function readTargets(pass: NginxDirective, scope: NginxScope, world: TargetWorld): Target[] {
  // Only proxy_pass can name a path; what looks like one elsewhere is a socket's.
  if (pass.name !== "proxy_pass") return [{ kind: "same" }];
  const variables = variablesAt(world.variables, scope);
  return readPassTargets(pass.args[0] ?? "", { ...world, variables });
}

/** Reads where a proxy_pass sends requests: its variables can stand for parts, or for all. */
function readPassTargets(text: string, world: TargetWorld): Target[] {
  const hasVariables = text.includes("$");
  return expand(text, world.variables).map((pieces) => {
    if (pieces === undefined) return { kind: "anywhere" };
    const { host, uri } = splitHost(pieces);
    const choosesHost = host.some((piece) => "name" in piece && isClientsChoice(piece.name));
    if (choosesHost) return { kind: "anywhere" };
    if (uri.length === 0) return { kind: "same" };
    const target = readTemplate(uri, world);
    return !hasVariables && target.kind === "fixed"
      ? { kind: "mapped", prefix: target.path }
      : target;
  });
}

/** Reads where try_files, error_page or rewrite send a request inside of nginx. */
export function readPathTargets(text: string, world: TargetWorld): Target[] {
  return expand(text, world.variables).map((pieces) => {
    return pieces === undefined ? { kind: "anywhere" } : readTemplate(pieces, world);
  });
}

function isClientsChoice(name: string): boolean {
  return /^\d+$/.test(name) || (isClientsWord(name) && !PATHS.includes(name));
}

const PATHS = ["request_uri", "uri", "document_uri"];
const QUERIES = ["is_args", "args", "query_string"];

/** Every value that a text can have, down to variables that the configuration does not define. */
function expand(text: string, variables: NginxVariables): (readonly Piece[] | undefined)[] {
  let alternatives: (readonly Piece[])[] = [split(text)];
  const followed = new Set<string>();
  for (;;) {
    const name = alternatives
      .flat()
      .flatMap((piece) => ("name" in piece ? [piece.name] : []))
      .find((one) => variables.has(one) && !followed.has(one));
    if (name === undefined) return alternatives;
    followed.add(name);
    const values = (variables.get(name) ?? []).flatMap(({ outputs }) => {
      return outputs.map(({ value }) => split(value));
    });
    alternatives = alternatives.flatMap((pieces) => {
      const uses = pieces.some((piece) => "name" in piece && piece.name === name);
      if (!uses) return [pieces];
      return values.map((value) => {
        return pieces.flatMap((piece) =>
          "name" in piece && piece.name === name ? value : [piece],
        );
      });
    });
    if (alternatives.length > ALTERNATIVES_MAX) return [undefined];
  }
}

function split(text: string): Piece[] {
  return [...text.matchAll(/\$\{(\w+)\}|\$(\d|[A-Za-z_]\w*)|[^$]+|\$/g)].map((match) => {
    const name = match[1] ?? match[2];
    return name === undefined ? { text: match[0] } : { name };
  });
}

/** A URI begins at the first slash behind the host, or with a variable that holds one. */
function splitHost(pieces: readonly Piece[]): {
  host: readonly Piece[];
  uri: readonly Piece[];
} {
  const [first, ...others] = pieces;
  const head = first !== undefined && "text" in first ? first.text : "";
  const bare = head.replace(/^[a-z]+:\/\//, "").replace(/^unix:[^:]*:?/, "");
  const rest = first !== undefined && "text" in first ? [{ text: bare }, ...others] : pieces;
  for (const [at, piece] of rest.entries()) {
    if ("name" in piece) {
      if (PATHS.includes(piece.name)) return { host: rest.slice(0, at), uri: rest.slice(at) };
      continue;
    }
    const slash = piece.text.search(/[/?]/);
    if (slash === -1) continue;
    const uri = { text: piece.text.slice(slash) };
    return { host: rest.slice(0, at), uri: [uri, ...rest.slice(at + 1)] };
  }
  return { host: rest, uri: [] };
}

function readTemplate(pieces: readonly Piece[], world: TargetWorld): Target {
  const path = withoutQuery(pieces).map((piece) => withKnownPath(piece, world));
  const [only, ...others] = path;
  if (only === undefined) return { kind: "same" };
  if (others.length === 0 && "name" in only && PATHS.includes(only.name)) return { kind: "same" };
  const texts = path.flatMap((piece) => ("text" in piece ? [piece.text] : []));
  if (texts.length === path.length) return { kind: "fixed", path: texts.join("") };
  const source = path.map((piece) => {
    return "text" in piece
      ? escapeText(piece.text)
      : `(?:${world.groups[Number(piece.name)] ?? ANYTHING})`;
  });
  return { kind: "pattern", regex: new RegExp(`^${source.join("")}$`) };
}

function withoutQuery(pieces: readonly Piece[]): Piece[] {
  const path: Piece[] = [];
  for (const piece of pieces) {
    if ("name" in piece) {
      if (QUERIES.includes(piece.name)) return path;
      path.push(piece);
    } else {
      const [before = "", ...query] = piece.text.split("?");
      if (before !== "") path.push({ text: before });
      if (query.length > 0) return path;
    }
  }
  return path;
}

function withKnownPath(piece: Piece, { asked, path }: TargetWorld): Piece {
  if (!("name" in piece) || !PATHS.includes(piece.name)) return piece;
  const text = piece.name === "request_uri" ? asked : path;
  return text === undefined ? piece : { text };
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
