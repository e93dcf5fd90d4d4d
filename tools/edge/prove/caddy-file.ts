import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { samplesOf } from "../lint/pattern-samples.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import { fieldOf, isList, isRecord, type JsonRecord, textsIn } from "./json.ts";
import type { StagedFile, StagePlace } from "./staged-file.ts";
import { INSIDE_RANGE, playRange, type StandIns } from "./stand-ins.ts";

/** Of Caddy's own apps, those that answer requests or belong to their connections. */
const APPS = ["http", "tls", "pki"];

/** Has Caddy adapt a Caddyfile, and writes the result to run beside recorders. */
export function stageCaddy(
  file: string,
  text: string,
  standIns: StandIns,
  { directory, certificate }: StagePlace,
): StagedFile {
  const config = readConfig(file, text);
  const apps = fieldOf(config, "apps");
  for (const name of Object.keys(apps)) {
    if (!APPS.includes(name))
      throw new CannotProveError(`what the app "${name}" forwards is not known here`);
  }
  const http = fieldOf(apps, "http");
  const servers = Object.entries(fieldOf(http, "servers")).flatMap(([name, server]) => {
    return isRecord(server) ? [{ name, server, made: stageServer(server, standIns) }] : [];
  });
  const staged = {
    admin: { disabled: true },
    storage: { module: "file_system", root: directory },
    logging: { logs: { default: { level: "ERROR" } } },
    apps: {
      http: {
        ...http,
        servers: Object.fromEntries(
          servers.map(({ name, server, made }) => [
            name,
            { ...asRecord(change(server, standIns)), ...made },
          ]),
        ),
      },
      tls: {
        certificates: {
          load_files: [{ certificate: certificate.certificate, key: certificate.key }],
        },
      },
    },
  };
  const json = JSON.stringify(staged, undefined, 1);
  const path = join(directory, "edge.json");
  writeFileSync(path, json);
  return {
    check: ["validate", "--config", path],
    run: ["run", "--config", path],
    text: json,
    samples: samplesIn(staged),
    notes: [],
  };
}

function readConfig(file: string, text: string): JsonRecord {
  if (/\.json$/i.test(file)) return parse(text);
  const args = ["adapt", "--config", file, "--adapter", "caddyfile"];
  const { status, stdout, stderr } = spawnSync("caddy", args, { encoding: "utf8" });
  if (status === 0) return parse(stdout);
  throw new CannotProveError(`Caddy does not adapt it: ${stderr.trim().split("\n").at(-1) ?? ""}`);
}

function parse(text: string): JsonRecord {
  try {
    const value: unknown = JSON.parse(text);
    return asRecord(value);
  } catch {
    throw new CannotProveError("its JSON cannot be read");
  }
}

/** A server's own settings: where it listens, and with which certificate. */
function stageServer(server: JsonRecord, standIns: StandIns): JsonRecord {
  const names = textsIn(server, "host").filter((name) => !name.includes("{"));
  const listens = isList(server["listen"]) ? server["listen"] : [];
  const policies = server["tls_connection_policies"];
  const listeners = listens.flatMap((value) => {
    const address = String(value).replace(/^tcp[46]?\//, "");
    if (/^(udp|quic)/.test(address)) return [];
    const isTls = isList(policies) || address.endsWith(":443");
    const protocols = server["protocols"];
    const isHttp2 = isTls && (!isList(protocols) || protocols.includes("h2"));
    const takesProxyLine = JSON.stringify(server["listener_wrappers"] ?? "").includes(
      "proxy_protocol",
    );
    const listener = standIns.listener(address, { isTls, isHttp2, takesProxyLine });
    for (const name of names) listener.names.add(name.replace(/^\*\./, "any."));
    return [listener];
  });
  const isTls = listeners.some((listener) => listener.isTls);
  return {
    listen: [...new Set(listeners.map(({ port }) => `127.0.0.1:${port}`))],
    automatic_https: { disable: true },
    logs: undefined,
    tls_connection_policies: isTls ? [{}] : undefined,
  };
}

/** Replaces what stands for other hosts, wherever it is. */
function change(value: unknown, standIns: StandIns): unknown {
  if (isList(value)) return value.map((one) => change(one, standIns));
  if (!isRecord(value)) return value;
  const changed = Object.entries(value).map(([name, field]): [string, unknown] => {
    const isRanges = name === "ranges" || name === "trusted_proxies";
    return [name, isRanges && isList(field) ? trust(field) : change(field, standIns)];
  });
  const record = Object.fromEntries(changed);
  return value["handler"] === "reverse_proxy" ? stageProxy(record, standIns) : record;
}

function stageProxy(proxy: JsonRecord, standIns: StandIns): JsonRecord {
  if (proxy["dynamic_upstreams"] !== undefined) {
    throw new CannotProveError("DNS decides what a reverse_proxy of it reaches");
  }
  const upstreams = (isList(proxy["upstreams"]) ? proxy["upstreams"] : []).map((one) => {
    const dial = String(asRecord(one)["dial"] ?? "");
    if (dial === "" || dial.includes("{")) {
      throw new CannotProveError(`a request decides which upstream ${dial} is`);
    }
    return { dial: standIns.upstream(dial.replace(/^tcp[46]?\//, "")) };
  });
  const transport = asRecord(proxy["transport"]);
  const tls = transport["tls"] === undefined ? {} : { tls: { insecure_skip_verify: true } };
  return {
    ...proxy,
    upstreams,
    health_checks: undefined,
    ...(proxy["transport"] === undefined ? {} : { transport: { ...transport, ...tls } }),
  };
}

/** Whoever connects from inside is a peer of the same kind as those that the file names. */
function trust(ranges: readonly unknown[]): string[] {
  return [...new Set([...ranges.map((one) => playRange(String(one))), INSIDE_RANGE])];
}

function samplesIn(config: unknown): string[] {
  const paths = textsIn(config, "path").map((path) => path.replaceAll("*", ""));
  const patterns = [...textsIn(config, "pattern"), ...textsIn(config, "input_regexp")];
  const literal = [...textsIn(config, "strip_path_prefix"), ...paths].filter((path) =>
    path.startsWith("/"),
  );
  return [...literal, ...patterns.flatMap(samplesOf)];
}

function asRecord(value: unknown): JsonRecord {
  return isRecord(value) ? value : {};
}
