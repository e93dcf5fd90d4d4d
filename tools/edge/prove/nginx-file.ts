import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createIncludeReader } from "../lint/includes.ts";
import { type NginxDirective, readNginxTree } from "../lint/nginx/tree.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import { createPassReplacer } from "./nginx-passes.ts";
import { samplesIn } from "./nginx-samples.ts";
import { writeNginx } from "./nginx-text.ts";
import { KNOWN_PASSWORD, KNOWN_USER } from "./private-requests.ts";
import type { StagedFile, StagePlace } from "./staged-file.ts";
import { INSIDE_RANGE, playRange, type StandIns } from "./stand-ins.ts";

/** What belongs to the host that nginx runs on, rather than to what it does with requests. */
const OF_THE_HOST =
  /^(user|pid|daemon|master_process|worker_(processes|cpu_affinity|priority|rlimit_\w+)|working_directory|lock_file|error_log|access_log|\w+_temp_path|proxy_bind|resolver_timeout|mail|ssl_(certificate|certificate_key|password_file|dhparam|trusted_certificate|client_certificate|crl|stapling\w*|verify_client|session_ticket_key|engine|ocsp\w*)|(proxy|grpc|uwsgi)_ssl_(verify|trusted_certificate|certificate|certificate_key|crl|password_file))$/;

/** Other programs inside of nginx: what they forward to stands in no directive. */
const CODE = /^(js_|perl|\w+_by_lua|lua_)/;

/** Takes the place of every file of users: the proof knows a password, as some clients would. */
const PASSWORD_FILE = "users";

/** Options of a listener that say something about its requests. */
const LISTEN_OPTIONS = ["ssl", "http2", "proxy_protocol", "default_server", "default"];

/** Reads an nginx configuration with its includes, and writes it anew to run beside recorders. */
export function stageNginx(
  file: string,
  text: string,
  standIns: StandIns,
  { directory, certificate }: StagePlace,
): StagedFile {
  const tree = readNginxTree(file, text, createIncludeReader(file));
  const [problem] = [...tree.problems, ...tree.unread];
  if (problem !== undefined) {
    const { file: at, line, text: what } = problem;
    const isUnread = tree.unread.includes(problem);
    throw new CannotProveError(`${at}:${line}: ${what}${isUnread ? " could not be read" : ""}`);
  }
  const directives = asWhole(tree.directives);
  const servers = findNamed(directives, "server");
  for (const server of servers)
    for (const one of listensOf(server)) replaceListen(one, server, standIns);
  const replacePass = createPassReplacer(directives, standIns);
  const change = (directive: NginxDirective, parent: string): NginxDirective[] => {
    const { name, args, block } = directive;
    if (CODE.test(name))
      throw new CannotProveError(`line ${directive.line}: ${name} runs a program inside of nginx`);
    if (OF_THE_HOST.test(name)) return [];
    const inner = block?.flatMap((one) => change(one, name));
    if (name === "server" && inner !== undefined && parent !== "upstream") {
      return [{ ...directive, block: [...listens(directive, standIns), ...inner] }];
    }
    if (name === "listen") return [];
    if (name === "http")
      return [
        {
          ...directive,
          block: [...httpSettings(directive, directory, certificate), ...(inner ?? [])],
        },
      ];
    if (name === "geo") return [{ ...directive, block: addInside(inner ?? []) }];
    if (name === "set_real_ip_from") return trust(directive);
    if (name === "allow" || name === "deny") return [{ ...directive, args: args.map(playRange) }];
    if (name === "proxy_cache_path" || name === "fastcgi_cache_path") {
      return [
        { ...directive, args: [join(directory, `cache-${directive.line}`), ...args.slice(1)] },
      ];
    }
    if (name === "auth_basic_user_file") {
      return [{ ...directive, args: [join(directory, PASSWORD_FILE)] }];
    }
    if (name === "load_module")
      return [{ ...directive, args: [resolve(compiledPrefix(), args[0] ?? "")] }];
    return [replacePass(inner === undefined ? directive : { ...directive, block: inner }, parent)];
  };
  const changed = directives.flatMap((directive) => change(directive, ""));
  const staged = `pid ${directory}/pid;\nerror_log stderr error;\n${writeNginx(changed)}`;
  const path = join(directory, "edge.conf");
  mkdirSync(join(directory, "logs"));
  writeFileSync(join(directory, PASSWORD_FILE), `${KNOWN_USER}:{PLAIN}${KNOWN_PASSWORD}\n`);
  writeFileSync(path, staged);
  const globals = ["-e", "stderr", "-g", "daemon off; master_process off;"];
  const run = ["-c", path, "-p", directory, ...globals];
  return {
    check: ["-t", "-q", ...run],
    run,
    text: staged,
    samples: samplesIn(tree.directives),
    notes: notesOn(tree.directives),
  };
}

/** What conf.d holds stands inside of http elsewhere; the rest of that file is left to nginx. */
function asWhole(directives: readonly NginxDirective[]): readonly NginxDirective[] {
  const [first] = directives;
  if (first === undefined) return directives;
  const has = (name: string) => directives.some((directive) => directive.name === name);
  const make = (name: string, block: readonly NginxDirective[]) => ({
    ...first,
    name,
    args: [],
    block,
  });
  const events = has("events") ? [] : [make("events", [])];
  const isPart = !["http", "stream", "events"].some(has);
  return isPart ? [...events, make("http", directives)] : [...events, ...directives];
}

function findNamed(directives: readonly NginxDirective[], name: string): NginxDirective[] {
  return directives.flatMap((directive) => [
    ...(directive.name === name && directive.block !== undefined ? [directive] : []),
    ...findNamed(directive.block ?? [], name),
  ]);
}

function childrenOf(directive: NginxDirective, name: string): NginxDirective[] {
  return (directive.block ?? []).filter((child) => child.name === name);
}

/** A server without a listen listens at port 80. */
function listensOf(server: NginxDirective): readonly NginxDirective[] {
  const found = childrenOf(server, "listen");
  return found.length > 0 ? found : [{ ...server, name: "listen", args: ["80"], block: undefined }];
}

function replaceListen({ args }: NginxDirective, server: NginxDirective, standIns: StandIns) {
  const [address = "80", ...options] = args;
  const isOn = (name: string) => childrenOf(server, name).some((one) => one.args[0] === "on");
  const listener = standIns.listener(/^\d+$/.test(address) ? `:${address}` : address, {
    isTls: options.includes("ssl") || isOn("ssl"),
    isHttp2: options.includes("http2") || isOn("http2"),
    takesProxyLine: options.includes("proxy_protocol"),
  });
  for (const { args: names } of childrenOf(server, "server_name")) {
    for (const name of names) {
      if (/^[~_$]|^$/.test(name)) continue;
      listener.names.add(
        name.replace(/^\*\./, "any.").replace(/^\./, "").replace(/\.\*$/, ".example"),
      );
    }
  }
  return listener;
}

/** Both families of one port are one listener now, which a server names once. */
function listens(server: NginxDirective, standIns: StandIns): NginxDirective[] {
  const made = new Map<number, NginxDirective>();
  for (const listen of listensOf(server)) {
    const { port } = replaceListen(listen, server, standIns);
    const options = listen.args.slice(1).filter((option) => LISTEN_OPTIONS.includes(option));
    made.set(port, { ...listen, name: "listen", args: [`127.0.0.1:${port}`, ...options] });
  }
  return [...made.values()];
}

function httpSettings(
  at: NginxDirective,
  directory: string,
  { certificate, key }: StagePlace["certificate"],
): NginxDirective[] {
  const make = (name: string, ...args: string[]) => ({ ...at, name, args, block: undefined });
  return [
    make("access_log", "off"),
    ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) =>
      make(`${kind}_temp_path`, join(directory, kind)),
    ),
    make("ssl_certificate", certificate),
    make("ssl_certificate_key", key),
  ];
}

/** Whoever connects from inside is a peer of the same kind as those that the file names. */
function trust(directive: NginxDirective): NginxDirective[] {
  const [range = ""] = directive.args;
  const ranges = new Set([playRange(range), INSIDE_RANGE]);
  return [...ranges].map((one) => ({ ...directive, args: [one] }));
}

const GEO_SETTINGS = ["default", "delete", "proxy", "proxy_recursive", "ranges", "include"];

function addInside(entries: readonly NginxDirective[]): NginxDirective[] {
  const played = entries.map((entry) => ({ ...entry, name: playRange(entry.name) }));
  const model = played.find(({ name }) => !GEO_SETTINGS.includes(name));
  if (model === undefined || played.some(({ name }) => name === INSIDE_RANGE)) return played;
  const hasRanges = played.some(({ name }) => name === "ranges");
  return [...played, { ...model, name: hasRanges ? "127.9.0.0-127.9.255.255" : INSIDE_RANGE }];
}

/** nginx finds its modules below the folder that it was built for. */
function compiledPrefix(): string {
  const { stderr } = spawnSync("nginx", ["-V"], { encoding: "utf8" });
  return /--prefix=(\S+)/.exec(stderr)?.[1] ?? "/usr/share/nginx";
}

function notesOn(directives: readonly NginxDirective[]): string[] {
  const asks = findAll(directives, "ssl_verify_client").some(({ args }) => args[0] === "on");
  const mail = directives.some(({ name }) => name === "mail");
  return [
    ...(asks ? ["clients are not asked for certificates here (ssl_verify_client)"] : []),
    ...(mail ? ["the mail block was left out"] : []),
  ];
}

function findAll(directives: readonly NginxDirective[], name: string): NginxDirective[] {
  return directives.flatMap((one) => [
    ...(one.name === name ? [one] : []),
    ...findAll(one.block ?? [], name),
  ]);
}
