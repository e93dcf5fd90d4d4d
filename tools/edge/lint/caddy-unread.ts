import type { CaddyDirective } from "./caddy-tree.ts";
import type { Finding } from "./finding.ts";
import { PROVE } from "./lint-policy.ts";

/** Directives of modules or of Caddy itself that change requests by rules that are not read here. */
const UNREAD: Readonly<Record<string, string>> = {
  layer4: "connections that it takes never come to the sites that are read here",
  forward_proxy: "it forwards to wherever a client says",
  dynamic: "which servers requests go to is decided while Caddy runs",
  copy_headers: "headers of another server's answer replace those of the request",
};

/** Says what cannot be followed, since any trap may hide in it. */
export function lintUnread(directives: readonly CaddyDirective[]): Finding[] {
  return directives.flatMap(({ words: [name = ""], file, line }) => {
    const reason = Object.entries(UNREAD).find(([one]) => one === name)?.[1];
    if (reason === undefined) return [];
    const message = `${name} was not judged: ${reason}`;
    return [{ file, line, rule: "not-followed" as const, message, mend: PROVE }];
  });
}
