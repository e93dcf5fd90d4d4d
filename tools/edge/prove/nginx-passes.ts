import type { NginxDirective } from "../lint/nginx/tree.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import type { StandIns } from "./stand-ins.ts";

/** Replaces what one directive forwards to; others come back as they are. */
export type PassReplacer = (directive: NginxDirective, parent: string) => NginxDirective;

const PASS = /^(proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass$/;
/** A scheme, a host or socket, and the rest: a path, be it in a variable. */
const TARGET = /^([a-z]+:\/\/)?(unix:[^:;]+:?|\[[^\]]+\](?::\d+)?|[^/?$]+)(.*)$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "https://": ":443", "grpcs://": ":443" };

/**
 * Replaces upstreams by recorders. An upstream in a variable is followed through `set` and `map`;
 * where a request decides it, nobody can say what would be reached, so the file is refused.
 */
export function createPassReplacer(
  directives: readonly NginxDirective[],
  standIns: StandIns,
): PassReplacer {
  const groups = new Set(findGroups(directives));
  const hosts = new Set(variableHosts(directives));
  const replace = (target: string, line: number): string => {
    const [, scheme = "", host = "", rest = ""] = TARGET.exec(target) ?? [];
    if (host === "" || host.includes("$")) {
      throw new CannotProveError(`line ${line}: a request decides which upstream ${target} is`);
    }
    if (groups.has(host)) return target;
    const isSocket = host.startsWith("unix:");
    const port = isSocket || /:\d+$/.test(host) ? "" : (DEFAULT_PORTS[scheme] ?? ":80");
    const address = `${isSocket ? host.replace(/:$/, "") : host}${port}`;
    return `${scheme}${standIns.upstream(address)}${rest}`;
  };
  return (directive, parent) => {
    const { name, args, line } = directive;
    const [target = "", ...more] = args;
    if (parent === "upstream" && name === "server") {
      const kept = more.filter((option) => !/^(resolve$|service=)/.test(option));
      return { ...directive, args: [replace(target, line), ...kept] };
    }
    if (PASS.test(name)) {
      const variable = readVariable(target);
      if (variable === undefined) return { ...directive, args: [replace(target, line), ...more] };
      checkValues(variable, directives, line);
      return directive;
    }
    if (name === "set" && hosts.has(target.replace(/^\$/, ""))) {
      const [value = ""] = more;
      return { ...directive, args: [target, isTarget(value) ? replace(value, line) : value] };
    }
    if (name === "map" && hosts.has((args[1] ?? "").replace(/^\$/, ""))) {
      const block = (directive.block ?? []).map((entry) => {
        const [value = ""] = entry.args;
        return isTarget(value) ? { ...entry, args: [replace(value, line)] } : entry;
      });
      return { ...directive, block };
    }
    return directive;
  };
}

/** The variable that stands where the host does: `$to`, `http://$to/path`. */
function readVariable(target: string): string | undefined {
  return /^(?:[a-z]+:\/\/)?\$\{?(\w+)\}?/.exec(target)?.[1];
}

function isTarget(value: string): boolean {
  return value !== "" && !value.startsWith("/");
}

function variableHosts(directives: readonly NginxDirective[]): string[] {
  return directives.flatMap(({ name, args, block }) => {
    const variable = PASS.test(name) ? readVariable(args[0] ?? "") : undefined;
    return [...(variable === undefined ? [] : [variable]), ...variableHosts(block ?? [])];
  });
}

function findGroups(directives: readonly NginxDirective[]): string[] {
  return directives.flatMap(({ name, args, block }) => [
    ...(name === "upstream" ? [args[0] ?? ""] : []),
    ...findGroups(block ?? []),
  ]);
}

/** Every value that the file gives the variable must be one that no request chose. */
function checkValues(variable: string, directives: readonly NginxDirective[], line: number): void {
  const values = valuesOf(variable, directives);
  if (values.length > 0 && values.every((value) => isHostLiteral(value))) return;
  throw new CannotProveError(`line ${line}: a request decides which upstream $${variable} is`);
}

function isHostLiteral(value: string): boolean {
  return !(TARGET.exec(value)?.[2] ?? "$").includes("$");
}

function valuesOf(variable: string, directives: readonly NginxDirective[]): string[] {
  return directives.flatMap(({ name, args, block }) => {
    const [first = "", second = ""] = args;
    if (name === "set" && first === `$${variable}`) return [second];
    if (name === "map" && second === `$${variable}`) {
      return (block ?? []).flatMap((entry) => entry.args.slice(0, 1));
    }
    return valuesOf(variable, block ?? []);
  });
}
