import { type ExitCode, type Terminal, UsageError } from "./command.ts";
import { LINT_HELP, lintCommand } from "./lint-command.ts";
import { PROBE_HELP, probeCommand } from "./probe-command.ts";
import { PROVE_HELP, proveCommand } from "./prove-command.ts";
import { RENDER_HELP, renderCommand } from "./render-command.ts";
import { RUN_HELP, runCommand } from "./run-command.ts";

const HELP = `Usage: edge render|lint|prove|probe|run …

One edge in front of Portcullis: the proxy that says, truthfully, who each client is.

  render   write configurations for nginx, HAProxy, Caddy and Envoy from one small YAML
  lint     find the traps in hand-written configurations, with line, reason and mend
  prove    run the real proxy with a configuration, in front of recorders, and attack it
  probe    attack a running edge, and ask the services behind it what they saw
  run      start a rendered nginx, HAProxy or Caddy in front of a running system

  edge <verb> --help explains each. deploy/README.md says which topology needs which hops.
Exit codes: 0 all is well, 1 findings or a proxy that failed, 2 usage, an unreadable file or one
that cannot be proved, 3 a proxy that is not installed, or a probe in doubt.
`;

const terminal: Terminal = {
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  environment: process.env,
  colours: process.stdout.isTTY && !process.env["NO_COLOR"],
};

process.exitCode = await runEdge(process.argv.slice(2));

async function runEdge([verb, ...args]: readonly string[]): Promise<ExitCode> {
  const verbs: Record<string, { run: () => ExitCode | Promise<ExitCode>; help: string }> = {
    render: { run: () => renderCommand(args, terminal), help: RENDER_HELP },
    lint: { run: () => lintCommand(args, terminal), help: LINT_HELP },
    prove: { run: async () => await proveCommand(args, terminal), help: PROVE_HELP },
    probe: { run: async () => await probeCommand(args, terminal), help: PROBE_HELP },
    run: { run: async () => await runCommand(args, terminal), help: RUN_HELP },
  };
  if (verb === "--help" || verb === "-h" || verb === "help") {
    terminal.write(verbs[args[0] ?? ""]?.help ?? HELP);
    return 0;
  }
  const command = verbs[verb ?? ""];
  if (command === undefined) {
    terminal.writeError(verb === undefined ? HELP : `edge has no verb "${verb}"\n\n${HELP}`);
    return 2;
  }
  try {
    return await command.run();
  } catch (error) {
    if (!(error instanceof UsageError) && !isParseArgsError(error)) throw error;
    terminal.writeError(`edge ${verb}: ${error.message}\n`);
    return 2;
  }
}

function isParseArgsError(error: unknown): error is Error {
  return (
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
  );
}
