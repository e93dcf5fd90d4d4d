import type { NginxDirective } from "../lint/nginx/tree.ts";
import { samplesOf } from "../lint/pattern-samples.ts";

/** The paths that its locations and rewrites take, one for each alternative of a pattern. */
export function samplesIn(directives: readonly NginxDirective[]): string[] {
  return directives.flatMap(({ name, args, block }) => {
    const inner = samplesIn(block ?? []);
    if (name === "rewrite") return [...samplesOf(args[0] ?? ""), ...inner];
    if (name !== "location") return inner;
    const [first = "", second] = args;
    const modifier = /^(=|~\*?|\^~)/.exec(first)?.[0] ?? "";
    const pattern = second ?? first.slice(modifier.length);
    if (pattern.startsWith("@")) return inner;
    return [...(modifier.startsWith("~") ? samplesOf(pattern) : [pattern]), ...inner];
  });
}
