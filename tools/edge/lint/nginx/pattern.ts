import { readPortableRegex } from "../portable-regex.ts";
import { type Truth, truthOf } from "../truth.ts";

/** A regular expression of an nginx configuration, as far as it can be read. */
export type NginxPattern = {
  /** Undefined where PCRE knows more than JavaScript: nobody can tell what it matches. */
  regex: RegExp | undefined;
  /** What each group can hold, as the source of a regular expression; the whole match first. */
  groups: readonly string[];
};

/** Anything at all: what a group holds that cannot be followed. */
export const ANYTHING = "[\\s\\S]*";

/** Reads a PCRE pattern; what has an equal in JavaScript is translated. */
export function readNginxPattern(pattern: string, ignoresCase: boolean): NginxPattern {
  const read = readPortableRegex(pattern, ignoresCase);
  if (read === undefined) return { regex: undefined, groups: [] };
  const { regex, source } = read;
  return { regex, groups: [withoutAnchors(source), ...readGroups(source)] };
}

/** Whether a path matches. */
export function matchesPath({ regex }: NginxPattern, path: string): Truth {
  if (regex === undefined) return "maybe";
  return truthOf(regex.test(path));
}

/** What stands between the parentheses of each group that counts, in their order. */
function readGroups(source: string): string[] {
  const groups: string[] = [];
  const open: { start: number; index: number | undefined }[] = [];
  let isClass = false;
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at];
    if (character === "\\") {
      at += 1;
    } else if (isClass) {
      isClass = character !== "]";
    } else if (character === "[") {
      isClass = true;
    } else if (character === "(") {
      const [head = ""] = /^\((\?(<[A-Za-z_]\w*>|[:=!]|<[=!]))?/.exec(source.slice(at)) ?? [];
      const counts = head === "(" || /^\(\?<[A-Za-z_]/.test(head);
      if (counts) groups.push(ANYTHING);
      open.push({ start: at + head.length, index: counts ? groups.length - 1 : undefined });
    } else if (character === ")") {
      const group = open.pop();
      if (group?.index !== undefined) groups[group.index] = inner(source.slice(group.start, at));
    }
  }
  return groups;
}

/** A group that looks around itself, or back, holds nobody knows what. */
function inner(source: string): string {
  const bare = source.replace(/\[\^/g, "[");
  return /[\^$]|\(\?<?[=!]|\\[1-9bBk]/.test(bare.replace(/\\\$|\\\^/g, "")) ? ANYTHING : source;
}

function withoutAnchors(source: string): string {
  return inner(source.replace(/^\^/, "").replace(/\$$/, ""));
}

/** Whether what a group holds can have a line break in it; the dot of PCRE stands for none. */
export function canHoldLineBreak(group: string): boolean {
  return /\[\^|\\[sSDWNRv]/.test(group.replaceAll("\\\\", ""));
}
