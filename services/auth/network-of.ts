import type { ClientIp } from "../runtime/client-ip.ts";
import {
  embeddedIpv4,
  formatIpAddress,
  type IpAddress,
  maskIpAddress,
  parseIpAddress,
} from "../runtime/ip-address.ts";

const SIX_TO_FOUR = 0x2002;
const SIX_TO_FOUR_BITS = 48;
const NAT64_START = [0x64, 0xff9b, 0, 0, 0, 0];

/**
 * The network that a client signs in from, as the limiter knows it: an IPv4 address itself, also
 * one inside of NAT64, or the network of an IPv6 address.
 */
export function networkOf({ ip }: Pick<ClientIp, "ip">, ipv6PrefixBits: number): string {
  const address = parseIpAddress(ip);
  return address === undefined ? ip : formatNetwork(address, ipv6PrefixBits);
}

function formatNetwork(address: IpAddress, ipv6PrefixBits: number): string {
  if (address.family === 4) return formatIpAddress(address);
  const { groups } = address;
  if (NAT64_START.every((group, index) => groups[index] === group)) {
    return formatIpAddress(embeddedIpv4(groups));
  }
  const bits = groups[0] === SIX_TO_FOUR ? SIX_TO_FOUR_BITS : ipv6PrefixBits;
  return `${formatIpAddress(maskIpAddress(address, bits))}/${bits}`;
}
