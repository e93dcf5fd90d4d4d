import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { replaceFile } from "../trust/replace-file.ts";
import { ensureNoForeignLink } from "../trust/trusted-path.ts";
import { UntrustedPlaceError } from "../trust/untrusted-place.ts";
import { type ExitCode, readChoice, type Terminal, UsageError } from "./command.ts";
import { loadConfig } from "./load-config.ts";
import { PRESET_NAMES } from "./presets.ts";
import { PROXIES, type RenderedFile, renderAll, renderProxy } from "./render.ts";

const NAMES_PER_LINE = 5;

function listNames(names: readonly string[]): string {
  const lines = names.map((name, index) => {
    const start =
      index % NAMES_PER_LINE === 0 ? `${index === 0 ? "" : "\n"}${" ".repeat(20)}` : " ";
    return `${start}${name}${index === names.length - 1 ? "" : ","}`;
  });
  return lines.join("");
}

export const RENDER_HELP = `Usage: edge render [--proxy NAME] [--topology NAME] [--out DIR] [FILE.yaml]

Renders complete proxy configurations from one small YAML. Without FILE.yaml the built-in defaults
are rendered; tools/edge/defaults.yaml shows and explains every field.

  --proxy NAME      nginx, haproxy, caddy or envoy; without it, all four
  --topology NAME   what stands in front, in place of the one in the file: direct, cdn, cdn-append,
                    or the name of a CDN or balancer:
${listNames(PRESET_NAMES.slice(3))}
  --out DIR         write DIR/<proxy>/<topology>.<ext> instead of standard output; of the defaults,
                    every topology unless one is named
  -h, --help        this text

Examples:
  edge render --proxy nginx > nginx.conf
  edge render --proxy haproxy my-edge.yaml > haproxy.cfg
  edge render --out deploy                      renews the files of deploy/
`;

/** `edge render`: writes configurations to standard output or below a directory. */
export function renderCommand(args: readonly string[], terminal: Terminal): ExitCode {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      proxy: { type: "string" },
      topology: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    terminal.write(RENDER_HELP);
    return 0;
  }
  const [file, ...more] = positionals;
  if (more.length > 0) throw new UsageError("render takes one YAML file");
  const proxy = readChoice("--proxy", values.proxy, PROXIES);
  const topology = readChoice("--topology", values.topology, PRESET_NAMES);
  const config = loadConfig(file, topology);
  const isEverything = values.out !== undefined && file === undefined && topology === undefined;
  const files = isEverything
    ? renderAll(config).filter(({ path }) => proxy === undefined || path.startsWith(`${proxy}/`))
    : (proxy === undefined ? PROXIES : [proxy]).map((name) => renderProxy(name, config));
  if (values.out === undefined) printFiles(files, terminal);
  else writeOrRefuse(files, values.out, terminal);
  return 0;
}

/** One file is printed as it is, ready to be redirected; several with their names between them. */
function printFiles(files: readonly RenderedFile[], terminal: Terminal): void {
  const texts = files.map(({ path, text }) => (files.length > 1 ? `# ==> ${path}\n${text}` : text));
  terminal.write(texts.join("\n"));
}

function writeOrRefuse(
  files: readonly RenderedFile[],
  directory: string,
  terminal: Terminal,
): void {
  try {
    writeFiles(files, directory, terminal);
  } catch (error) {
    throw error instanceof UntrustedPlaceError ? new UsageError(error.message) : error;
  }
}

function writeFiles(files: readonly RenderedFile[], directory: string, terminal: Terminal): void {
  for (const { path, text } of files) {
    const target = join(directory, path);
    ensureNoForeignLink(dirname(target));
    mkdirSync(dirname(target), { recursive: true });
    replaceFile(target, text);
    terminal.write(`${target}\n`);
  }
}
