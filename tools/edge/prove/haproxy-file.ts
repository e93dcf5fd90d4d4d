import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HaproxySection, readHaproxySections } from "../lint/haproxy/sections.ts";
import { samplesOf } from "../lint/pattern-samples.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import type { StagedFile, StagePlace } from "./staged-file.ts";
import { INSIDE_RANGE, playRange, type StandIns } from "./stand-ins.ts";

/** Sections that send something elsewhere, and say nothing about requests. */
const SECTIONS_DROPPED = ["mailers", "ring", "log-forward", "peers"];

/** What belongs to the host that HAProxy runs on, rather than to what it does with requests. */
const GLOBAL_DROPPED =
  /^(chroot|user|group|[ug]id|daemon|stats|pidfile|ca-base|crt-base|master-worker|mworker-max-reloads|localpeer|ssl-dh-param-file|nbthread|nbproc|cpu-map|thread-groups?|setcap|unix-bind|ulimit-n|maxconn|server-state-\w+|external-check|insecure-fork-wanted)$/;

const DROPPED =
  /^(log|errorfiles?|email-alert|external-check|load-server-state-from-file|parse-resolv-conf)$/;

/** Options of a server that need another host, or ask it when nothing else does; all with a value. */
const SERVER_OPTIONS_WITH_VALUE =
  /^(inter|fastinter|downinter|rise|fall|port|addr|agent-\w+|resolvers|resolve-\w+|init-addr|ca-file|crt|crl-file|verify|verifyhost|sni|check-\w+|source|namespace|track|slowstart|observe|on-error|error-limit|on-marked-\w+|socks4|interface)$/;
const SERVER_OPTIONS_ALONE =
  /^(check|check-ssl|check-send-proxy|check-via-socks4|agent-check|no-check)$/;

/** Options of a listener that say something about its requests. */
const BIND_OPTIONS = ["ssl", "accept-proxy", "allow-0rtt", "accept-netscaler-cip"];

/** Addresses behind a `src` or an `except`, be it with flags of its own. */
const RANGES =
  /\b(src|except)((?:\s+-[a-z](?:\s+(?:ip|str))?)*)((?:\s+[0-9A-Fa-f]*[.:][0-9A-Fa-f:.]*(?:\/\d+)?)+)/g;

/** Reads a HAProxy configuration, and writes it anew to run beside recorders. */
export function stageHaproxy(
  file: string,
  text: string,
  standIns: StandIns,
  { directory, certificate }: StagePlace,
): StagedFile {
  const { sections, problems } = readHaproxySections(file, text);
  const [problem] = problems;
  if (problem !== undefined) throw new CannotProveError(`${file}:${problem.line}: ${problem.text}`);
  const lines = text.split("\n");
  const changed = new Map<number, readonly string[]>();
  const binds = sections.flatMap((section) =>
    section.lines.filter(({ words }) => words[0] === "bind"),
  );
  const bound = new Map(
    binds.map(({ words, line }) => [line, stageBind(words, standIns, certificate.combined)]),
  );
  for (const section of sections) {
    if (section.kind === "program") {
      throw new CannotProveError(`line ${section.line}: a program would be started`);
    }
    const isDropped = SECTIONS_DROPPED.includes(section.kind);
    if (isDropped) changed.set(section.line, []);
    for (const { words, line } of section.lines) {
      const staged = isDropped
        ? []
        : (bound.get(line) ?? stageLine(section, words, line, standIns));
      if (staged !== undefined) changed.set(line, staged);
    }
  }
  const names = [...text.matchAll(HOST_NAMES)].flatMap(([, list = ""]) => list.trim().split(/\s+/));
  for (const listener of standIns.listeners()) for (const name of names) listener.names.add(name);
  const staged = lines
    .flatMap((raw, index) => changed.get(index + 1) ?? [stageRanges(raw)])
    .join("\n");
  const path = join(directory, "edge.cfg");
  writeFileSync(path, staged);
  return {
    check: ["-c", "-q", "-f", path],
    run: ["-q", "-db", "-f", path],
    text: staged,
    samples: samplesIn(sections),
    notes: sections.some(({ kind }) => kind === "peers") ? ["peers of HAProxy were left out"] : [],
  };
}

/** Plain names that a condition compares the Host header with. */
const HOST_NAMES =
  /\bhdr(?:_dom|_beg|_end)?\(host\)\S*((?:\s+(?:-[im]|str|dom|beg|end))*(?:\s+[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+)+)/gi;

/** The lines in place of one; undefined where it stays. */
function stageLine(
  { kind }: HaproxySection,
  words: readonly string[],
  line: number,
  standIns: StandIns,
): readonly string[] | undefined {
  const [first = "", second = "", third = ""] = words;
  if (words.some((word) => /^lua[.-]|\blua\./.test(word))) {
    throw new CannotProveError(`line ${line}: ${first} runs a program inside of HAProxy`);
  }
  if (DROPPED.test(first) || (kind === "global" && GLOBAL_DROPPED.test(first))) return [];
  if (first === "stick-table") return [`    ${quoteAll(withoutOption(words, "peers"))}`];
  if (first === "nameserver") return [`    nameserver ${second} 127.0.0.1:${standIns.deadPort}`];
  if (first === "dispatch" || first === "server-template") {
    throw new CannotProveError(`line ${line}: ${first} names no server that can be replaced`);
  }
  if (first === "default-server")
    return [`    ${quoteAll(["default-server", ...serverOptions(words.slice(1))])}`];
  if (first !== "server") return undefined;
  if (/^(ipv[46]@)?(0\.0\.0\.0|\*)?(:\d+)?$/.test(third)) {
    throw new CannotProveError(`line ${line}: a request decides which upstream ${third} is`);
  }
  const address = standIns.upstream(third.replace(/^ipv[46]@/, ""));
  return [`    ${quoteAll(["server", second, address, ...serverOptions(words.slice(3))])}`];
}

function serverOptions(options: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < options.length; at += 1) {
    const option = options[at] ?? "";
    if (SERVER_OPTIONS_ALONE.test(option)) continue;
    if (SERVER_OPTIONS_WITH_VALUE.test(option)) at += 1;
    else kept.push(option);
  }
  // Recorders have a certificate that nobody signed.
  return kept.includes("ssl") ? [...kept, "verify", "none"] : kept;
}

function withoutOption(words: readonly string[], option: string): readonly string[] {
  const at = words.indexOf(option);
  return at < 0 ? words : words.filter((_, index) => index !== at && index !== at + 1);
}

/** One line binds several addresses; each becomes a line of its own. */
function stageBind(
  words: readonly string[],
  standIns: StandIns,
  certificate: string,
): readonly string[] {
  const [, addresses = "", ...options] = words;
  const isTls = options.includes("ssl");
  const alpn = options[options.indexOf("alpn") + 1] ?? "";
  const isHttp2 = isTls && options.includes("alpn") && alpn.includes("h2");
  const made = addresses.split(",").flatMap((address) => {
    if (/^(fd@|quic)/.test(address)) return [];
    const plain = address
      .replace(/^ipv[46]@/, "")
      .replace(/^::(?=:\d)/, "[::]")
      .replace(/-\d+$/, "");
    const takesProxyLine = options.includes("accept-proxy");
    return [standIns.listener(plain, { isTls, isHttp2, takesProxyLine }).port];
  });
  const kept = options.filter((option) => BIND_OPTIONS.includes(option));
  const tls = isTls
    ? ["crt", certificate, ...(options.includes("alpn") ? ["alpn", alpn] : [])]
    : [];
  return [...new Set(made)].map(
    (port) => `    ${quoteAll(["bind", `127.0.0.1:${port}`, ...kept, ...tls])}`,
  );
}

/** Whoever connects from inside is a peer of the same kind as those that the file names. */
function stageRanges(raw: string): string {
  return raw.replace(RANGES, (_, fetch: string, flags: string, list: string) => {
    const ranges = list.trim().split(/\s+/).map(playRange);
    const more = fetch === "src" ? [INSIDE_RANGE] : [];
    return `${fetch}${flags} ${[...new Set([...ranges, ...more])].join(" ")}`;
  });
}

function quoteAll(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@,+=*[\]%-]+$/.test(word) ? word : `'${word}'`)).join(" ");
}

/** What conditions and rewrites compare paths with. */
function samplesIn(sections: readonly HaproxySection[]): string[] {
  const words = sections.flatMap(({ lines }) => lines.flatMap((line) => line.words));
  return words.flatMap((word) => {
    const pattern = /(?:^|regsub\()(\^?\(?\/[^,]*)/.exec(word)?.[1];
    if (pattern !== undefined)
      return /[\^$()[\]*\\]/.test(pattern) ? samplesOf(pattern) : [pattern];
    return /^\(\?[a-z]+\)/.test(word) ? samplesOf(word.replace(/^\(\?[a-z]+\)/, "")) : [];
  });
}
