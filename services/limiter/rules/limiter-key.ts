import { parseIpAddress } from "../../runtime/ip-address.ts";
import { formatClientNetwork } from "../../runtime/ip-network.ts";

/**
 * The text that stands for everybody who shares an address's limit: an IPv4 address itself, an IPv6
 * address's network. Undefined for a text that is no address.
 */
export function limiterKeyOf(text: string, ipv6PrefixBits: number): string | undefined {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : formatClientNetwork(address, ipv6PrefixBits);
}
