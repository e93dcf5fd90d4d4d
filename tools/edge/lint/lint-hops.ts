import type { Topology } from "../edge-config.ts";
import { HOPS } from "../edge-policy.ts";
import type { Finding } from "./finding.ts";

/** In environment files, manifests and comments alike: the name, then the number. */
const MENTION = /\b((?:API|REALTIME)_TRUST_PROXY_HOPS)\b["']?\s*[:=]\s*["']?(\d+)/g;
/** A manifest of Kubernetes has the number on the next line. */
const NAME_ALONE = /\bname:\s*["']?((?:API|REALTIME)_TRUST_PROXY_HOPS)\b/;
const VALUE_ALONE = /^\s*value:\s*["']?(\d+)/;

/** Whether a file says anywhere how many hops a service trusts. */
export function mentionsHops(text: string): boolean {
  return text.search(MENTION) >= 0 || NAME_ALONE.test(text);
}

/** Finds hops that do not fit the topology, wherever a file mentions them. */
export function lintHops(file: string, text: string, topology: Topology): Finding[] {
  const lines = text.split("\n");
  return lines.flatMap((raw, index) => {
    const line = index + 1;
    const mentions = [...raw.matchAll(MENTION)].map(([, name = "", hops = ""]) => ({
      name,
      hops,
      line,
    }));
    const split = NAME_ALONE.exec(raw)?.[1];
    const value = VALUE_ALONE.exec(lines[index + 1] ?? "")?.[1];
    if (split !== undefined && value !== undefined) {
      mentions.push({ name: split, hops: value, line: line + 1 });
    }
    return mentions
      .filter(({ hops }) => Number(hops) !== HOPS[topology])
      .map((mention) => describe(file, mention, topology));
  });
}

function describe(
  file: string,
  { name, hops, line }: { name: string; hops: string; line: number },
  topology: Topology,
): Finding {
  const right = HOPS[topology];
  const message =
    Number(hops) > right
      ? `topology ${topology} has ${right} trusted entries; with ${hops} the services find fewer and take this proxy for every client, or believe an entry of the client's own`
      : `topology ${topology} has ${right} trusted entries; with ${hops} the services take a proxy for the client`;
  return { file, line, rule: "hops-mismatch", message, mend: `${name}=${right}` };
}
