import type { NginxDirective } from "../lint/nginx/tree.ts";

/** Words that need no quotes in any place. */
const PLAIN = /^[A-Za-z0-9_./:*@=%,+~^|()[\]?!-]*[A-Za-z0-9_./*@=%,+|()[\]?!-]$/;

/** Writes directives as a configuration that nginx reads. */
export function writeNginx(directives: readonly NginxDirective[]): string {
  return directives
    .map(({ name, args, block }) => {
      const words = [name, ...args].map(quote).join(" ");
      return block === undefined ? `${words};\n` : `${words} {\n${writeNginx(block)}}\n`;
    })
    .join("");
}

/** nginx itself replaces \t, \r and \n in words; every other backslash is doubled to stay one. */
function quote(word: string): string {
  if (PLAIN.test(word)) return word;
  return `"${word.replace(/\\(?![trn])/g, "\\\\").replaceAll('"', '\\"')}"`;
}
