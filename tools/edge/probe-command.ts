import { parseArgs } from "node:util";
import { Secret } from "../../services/runtime/secret.ts";
import { type ExitCode, readChoice, type Terminal, UsageError } from "./command.ts";
import { DIRECT, findPreset, PRESET_NAMES } from "./presets.ts";
import type { Check } from "./probe/check.ts";
import { probeAddress } from "./probe/probe-address.ts";

const TOKEN = "OPERATOR_SERVICE_TOKEN";

export const PROBE_HELP = `Usage: edge probe [--auth URL] [--gateway URL] [--topology NAME] [--json] URL

Attacks a running edge at URL: spoofed addresses on every public route, plain and as upgrade,
private paths in many spellings, heads and bodies that are too large, over HTTP/1.1 and, with https,
HTTP/2, and once more over IPv6 where the name and this machine have it. The services themselves say
whom they took each request for: they are asked at their own addresses, with the operator's token.
Costs nobody a limit. rollout probe does the same for a whole deployment, from its rollout.yaml.

  --auth URL        where auth is reached directly (http://127.0.0.1:4001)
  --gateway URL     where operators reach the gateway, at GATEWAY_RPC_PORT (http://127.0.0.1:8002)
  --topology NAME   what stands in front, as in render --help (direct)
  --json            one array of {"id","title","verdict","observed","why","mend"}
  -h, --help        this text

The token is read from ${TOKEN}.

Exit codes: 0 all passed, 1 something failed, 2 usage, 3 something is in doubt.
`;

/** `edge probe`: shows what a running edge does, without the configuration of a rollout. */
export async function probeCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      auth: { type: "string" },
      gateway: { type: "string" },
      topology: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) {
    terminal.write(PROBE_HELP);
    return 0;
  }
  const [url, ...more] = positionals;
  if (url === undefined || more.length > 0) throw new UsageError("probe needs one URL");
  const topology = readChoice("--topology", values.topology, PRESET_NAMES);
  const token = terminal.environment[TOKEN]?.split(",")[0]?.trim() ?? "";
  if (token === "") throw new UsageError(`${TOKEN} must hold the operator's token`);
  const gateway = readUrl("--gateway", values.gateway ?? "http://127.0.0.1:8002");
  const checks = await probeAddress({
    edgeUrl: readUrl("URL", url),
    topology: (findPreset(topology ?? "") ?? DIRECT).topology,
    services: {
      auth: readUrl("--auth", values.auth ?? "http://127.0.0.1:4001"),
      gateway,
      gatewayRpc: gateway,
      // It is behind no edge, and is not asked.
      limiter: "",
    },
    operatorToken: new Secret(token),
  });
  if (values.json === true) terminal.write(`${JSON.stringify(checks, undefined, 2)}\n`);
  else for (const check of checks) terminal.write(formatCheck(check));
  if (checks.some(({ verdict }) => verdict === "fail")) return 1;
  return checks.some(({ verdict }) => verdict === "inconclusive") ? 3 : 0;
}

const LABELS = { pass: "PASS ", fail: "FAIL ", inconclusive: "DOUBT" } as const;

function formatCheck({ verdict, id, title, observed, mend }: Check): string {
  const line = `${LABELS[verdict]}  ${id}  ${title}: ${observed}\n`;
  return verdict === "pass" ? line : `${line}  mend: ${mend}\n`;
}

function readUrl(option: string, text: string): string {
  const isUrl = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (!isUrl) throw new UsageError(`${option} must be http://… or https://…, not "${text}"`);
  return text;
}
