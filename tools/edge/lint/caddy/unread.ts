import type { Finding } from "../finding.ts";
import { PROVE } from "../lint-policy.ts";
import type { CaddyDirective } from "./tree.ts";

/** Directives of modules or of Caddy itself that change requests by rules that are not read here. */
const UNREAD: Readonly<Record<string, string>> = {
  layer4: "connections that it takes never come to the sites that are read here",
  forward_proxy: "it forwards to wherever a client says",
  dynamic: "which servers requests go to is decided while Caddy runs",
  copy_headers: "another server's answer says what X-Forwarded-For becomes",
};

/** Says what cannot be followed, since any trap may hide in it. */
export function lintUnread(directives: readonly CaddyDirective[]): Finding[] {
  return directives.flatMap((directive) => {
    const [name = ""] = directive.words;
    const { file, line } = directive;
    if (name === "copy_headers" && !copiesForwardedFor(directive)) return [];
    const reason = Object.entries(UNREAD).find(([one]) => one === name)?.[1];
    if (reason === undefined) return [];
    const message = `${name} was not judged: ${reason}`;
    return [{ file, line, rule: "not-followed" as const, message, mend: PROVE }];
  });
}

/** Names stand behind the directive or in its block; "A>B" copies A as B. */
function copiesForwardedFor({ words, block }: CaddyDirective): boolean {
  const names = [...words.slice(1), ...block.flatMap((one) => one.words)];
  return names.some((name) => name.toLowerCase().endsWith("x-forwarded-for"));
}
