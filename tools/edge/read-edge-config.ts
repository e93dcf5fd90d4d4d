import { type Rule, withRules } from "../../services/runtime/documents/map-schema.ts";
import { nameOf, type Problem } from "../../services/runtime/documents/problem.ts";
import { readDocument } from "../../services/runtime/documents/read-document.ts";
import { type EdgeConfig, readListenEndpoints } from "./edge-config.ts";
import { type EdgeFields, edgeFields } from "./edge-schema.ts";
import { DIRECT, FORWARDED_FOR, findPreset, type Preset } from "./presets.ts";

/** What is wrong with a configuration, and on which line of its file. */
export type ConfigProblem = { line: number; text: string };

export type ConfigReading =
  | { kind: "valid"; config: EdgeConfig }
  | { kind: "invalid"; problems: readonly ConfigProblem[] };

const DEFAULT_PORT = "8080";

/**
 * Reads the YAML of one edge; every problem is reported, each with its line. A topology that is
 * named beside the file takes the place of the file's.
 */
export function readEdgeConfig(text: string, topology?: string): ConfigReading {
  const reading = readDocument(text, withRules(edgeFields, rulesFor(topology)));
  if (reading.kind === "valid") {
    return { kind: "valid", config: toConfig(reading.value, presetOf(reading.value, topology)) };
  }
  const problems = reading.problems.map((problem) => {
    return { line: problem.line ?? 1, text: formatProblem(problem) };
  });
  return { kind: "invalid", problems };
}

function presetOf(fields: Pick<EdgeFields, "topology">, override: string | undefined): Preset {
  return findPreset(override ?? fields.topology) ?? DIRECT;
}

function toConfig(fields: EdgeFields, preset: Preset): EdgeConfig {
  const { domains, listen, tls, cdn, upstreams } = fields;
  const { peers = cdn.cidrs ?? [], entries = cdn.entries ?? preset.entries } = fields;
  const { header = cdn.header ?? preset.header } = fields;
  return {
    domains,
    listen: listen.length > 0 ? listen : (readListenEndpoints(DEFAULT_PORT) ?? []),
    tls,
    preset: preset.name,
    topology: preset.topology,
    front: { peers, header: isForwardedFor(header) ? FORWARDED_FOR : header, entries },
    upstreams,
  };
}

/** What the topology asks of who stands in front; `cdn.cidrs` and its like say the same. */
function rulesFor(override: string | undefined): readonly Rule<EdgeFields>[] {
  return [
    {
      fields: ["peers", "cdn"],
      find: ({ peers, cdn }) => findTwice("peers", peers, "cidrs", cdn.cidrs),
    },
    {
      fields: ["header", "cdn"],
      find: ({ header, cdn }) => findTwice("header", header, "header", cdn.header),
    },
    {
      fields: ["entries", "cdn"],
      find: ({ entries, cdn }) => findTwice("entries", entries, "entries", cdn.entries),
    },
    {
      fields: ["topology", "peers", "cdn"],
      find: (fields) => {
        const { name, topology, peers } = presetOf(fields, override);
        const { length } = fields.peers ?? fields.cdn.cidrs ?? [];
        if (topology === "direct" || length > 0) return undefined;
        const field = name.startsWith("cdn") ? "cdn.cidrs" : "peers";
        return { path: ["topology"], message: `${name} needs ${field}: ${peers}` };
      },
    },
    {
      fields: ["topology", "header", "cdn"],
      find: (fields) => {
        const header = fields.header ?? fields.cdn.header ?? FORWARDED_FOR;
        if (presetOf(fields, override).topology !== "cdn-append") return undefined;
        if (isForwardedFor(header)) return undefined;
        const name = fields.header === undefined ? "cdn.header" : "header";
        const message = `cdn-append extends ${FORWARDED_FOR}; ${name} cannot differ`;
        return { path: ["topology"], message };
      },
    },
    {
      fields: ["topology", "entries", "cdn"],
      find: (fields) => {
        const { entries = fields.cdn.entries ?? 1 } = fields;
        if (presetOf(fields, override).topology !== "cdn-append" || entries === 1) return undefined;
        const message = "cdn-append counts one entry; choose cdn to resolve more";
        return { path: ["topology"], message };
      },
    },
  ];
}

function findTwice(field: string, value: unknown, inCdn: string, other: unknown) {
  if (value === undefined || other === undefined) return undefined;
  const message = `and cdn.${inCdn} say the same thing twice; keep ${field}`;
  return { path: [field], message };
}

/** Header names are the same in every case of their letters. */
function isForwardedFor(header: string): boolean {
  return header.toLowerCase() === FORWARDED_FOR.toLowerCase();
}

/** `tls.key must be the absolute path of a file, of plain characters` */
function formatProblem({ path, message, isUnknownField }: Problem): string {
  if (isUnknownField === true) {
    const map = nameOf(path.slice(0, -1)) || "the file";
    return `${map} has no field "${String(path.at(-1))}"`;
  }
  const name = nameOf(path);
  if (name === "") return message;
  return message.startsWith(":") ? `${name}${message}` : `${name} ${message}`;
}
