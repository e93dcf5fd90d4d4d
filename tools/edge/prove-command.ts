import { parseArgs } from "node:util";
import { type ExitCode, type Terminal, UsageError } from "./command.ts";
import { FILE_OPTIONS, type FileOptions, readFileOptions } from "./file-options.ts";
import { detectKind } from "./lint/lint-file.ts";
import { readFileOrRefuse } from "./load-config.ts";
import { CannotProveError } from "./prove/cannot-prove-error.ts";
import { type Proof, proveFile } from "./prove/prove-file.ts";
import { formatProof, toJson } from "./prove/report.ts";
import { installHint, isInstalled, ProxyStartError, RUNNABLE_PROXIES } from "./start-proxy.ts";

export const PROVE_HELP = `Usage: edge prove [--json] [--topology NAME] [--proxy NAME] [--upstream HOST:PORT]… FILE…

Runs the real nginx, HAProxy or Caddy with each file, on the loopback interface and as the user who
calls. Every upstream is replaced by a recorder, every listener by a free port; nothing else is
contacted. It then lies about addresses on every route, plain and as websocket upgrade, over
HTTP/1.1 and HTTP/2, asks for private paths in many spellings, and reports which upstream saw what.
Of files in which the routes of Portcullis are not, identity headers alone are judged.

  --topology NAME   what stands in front, as in render --help. Without it, what the file says in
                    its first lines, or else what it does with peers that it trusts
  --upstream ADDRESS  an address, as the file names it, at which a service of Portcullis is; may be
                    given several times
  --proxy NAME      nginx, haproxy, caddy or envoy, where a file's name and text do not tell
  --json            one array of {"file","proxy","topology","requests","routes","findings","notes"};
                    each finding has "rule" (as of lint), "severity", "route", "request", "upstream",
                    "saw", "message", "mend" and "places"
  -h, --help        this text

A file is refused where an upstream cannot be replaced (a request decides it), where an include
cannot be read, or where the proxy itself does not accept it.

Exit codes: 0 nothing was found, 1 findings, 2 usage or a file that cannot be proved, 3 the proxy
is not installed (Envoy is never run here).
`;

/** What became of one file. */
type Outcome = { kind: "proved"; proof: Proof } | { kind: "failed"; code: ExitCode; text: string };

/** `edge prove`: shows what a proxy really does with a configuration. */
export async function proveCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: FILE_OPTIONS,
  });
  if (values.help === true) {
    terminal.write(PROVE_HELP);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError("prove needs a FILE");
  const options = readFileOptions(values);
  const outcomes: Outcome[] = [];
  for (const file of positionals) outcomes.push(await proveNamed(file, options));
  const proofs = outcomes.flatMap((one) => (one.kind === "proved" ? [one.proof] : []));
  const failures = outcomes.flatMap((one) => (one.kind === "failed" ? [one] : []));
  for (const { text } of failures) terminal.writeError(`edge prove: ${text}\n`);
  if (values.json === true) terminal.write(`${JSON.stringify(proofs.map(toJson), undefined, 2)}\n`);
  else for (const proof of proofs) terminal.write(formatProof(proof, terminal.colours));
  if (failures.some(({ code }) => code === 2)) return 2;
  if (failures.length > 0) return 3;
  return proofs.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

async function proveNamed(
  file: string,
  { proxy: named, topology, upstreams }: FileOptions,
): Promise<Outcome> {
  try {
    const text = readFileOrRefuse(file);
    const kind = named ?? detectKind(file, text);
    const proxy = RUNNABLE_PROXIES.find((known) => known === kind);
    if (kind === "envoy") {
      return { kind: "failed", code: 3, text: `${file}: Envoy is not run here; lint reads it` };
    }
    if (proxy === undefined) {
      const why = "it is no configuration of nginx, HAProxy or Caddy; --proxy names one";
      return { kind: "failed", code: 2, text: `${file} cannot be proved: ${why}` };
    }
    if (!isInstalled(proxy)) return { kind: "failed", code: 3, text: installHint(proxy) };
    return { kind: "proved", proof: await proveFile({ proxy, file, text, topology, upstreams }) };
  } catch (error) {
    if (error instanceof UsageError) return { kind: "failed", code: 2, text: error.message };
    if (!(error instanceof CannotProveError) && !(error instanceof ProxyStartError)) throw error;
    return { kind: "failed", code: 2, text: `${file} cannot be proved: ${error.message}` };
  }
}
