import { limiterKeyOf } from "./limiter-key.ts";
import type { Policy } from "./policy.ts";

/** As many bytes as the proto allows. */
const KEY_BYTES_MAX = 512;

/** One of the rows that a policy keeps for a key: what names it, and the rule it follows. */
export type PolicyRow = { text: string; rule: Policy };

export type FoundRows =
  | { kind: "found"; rows: readonly PolicyRow[] }
  | { kind: "bad-key"; problem: string };

/** The rows of a key: its own and, where the policy has one, that of its wider network. */
export function rowsOfKey(
  policy: Policy,
  key: string,
  options: { isDoubtful: boolean; ipv6PrefixBits: number },
): FoundRows {
  if (key === "") return badKey("is required");
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
    return badKey(`is longer than ${KEY_BYTES_MAX} bytes`);
  }
  if (policy.key === "text") return found({ text: `text:${key}`, rule: policy });
  const space = policy.key === "address" ? key.length : key.indexOf(" ");
  if (space < 0 || (policy.key === "address_and_text" && space === key.length - 1)) {
    return badKey("must be an IP address, one space, and a text");
  }
  const { isDoubtful, ipv6PrefixBits } = options;
  const address = key.slice(0, space);
  const rest = key.slice(space);
  const source = isDoubtful ? "sock" : "fwd";
  const network = limiterKeyOf(address, ipv6PrefixBits);
  if (network === undefined) {
    return badKey(
      policy.key === "address" ? "must be an IP address" : "must begin with an IP address",
    );
  }
  const own = { text: `${source}:${network}${rest}`, rule: policy };
  // One that is no larger than what an address shares its limit with anyway is no wider network.
  const prefixBits = Math.min(policy.wider?.prefixBits ?? ipv6PrefixBits, ipv6PrefixBits);
  const wider = limiterKeyOf(address, prefixBits);
  // Only the networks of IPv6 come in sizes.
  if (policy.wider === undefined || wider === network) return found(own);
  return found(own, { text: `wide:${source}:${wider}${rest}`, rule: widerPolicy(policy) });
}

/** The rule of the wider network's row; without one, the policy itself. */
export function widerPolicy(policy: Policy): Policy {
  if (policy.wider === undefined) return policy;
  const { limit } = policy.wider;
  return policy.algorithm === "token_bucket"
    ? { ...policy, limit, burst: limit }
    : { ...policy, limit };
}

function found(...rows: readonly PolicyRow[]): FoundRows {
  return { kind: "found", rows };
}

function badKey(problem: string): FoundRows {
  return { kind: "bad-key", problem };
}
