import { embeddedIpv4, formatIpAddress, type IpAddress, maskIpAddress } from "./ip-address.ts";

/** The prefix of 6to4, 2002::/16, and how many bits of an address identify a site. */
const SIX_TO_FOUR = 0x2002;
const SIX_TO_FOUR_BITS = 48;
/** `64:ff9b::/96`, the well-known prefix of NAT64 (RFC 6052). */
const NAT64_GROUPS: readonly number[] = [0x64, 0xff9b, 0, 0, 0, 0];

/** The IPv4 address of a client behind NAT64. Returns any other address unchanged. */
export function resolveNat64(address: IpAddress): IpAddress {
  if (address.family === 4) return address;
  const { groups } = address;
  const isNat64 = NAT64_GROUPS.every((group, index) => groups[index] === group);
  return isNat64 ? embeddedIpv4(groups) : address;
}

/** The network of an address as text: the masked address and the number of bits. */
export function formatNetwork(address: IpAddress, prefixBits: number): string {
  return `${formatIpAddress(maskIpAddress(address, prefixBits))}/${prefixBits}`;
}

/**
 * The network that one client owns, as text: an IPv4 address (also behind NAT64), or an IPv6 prefix
 * of `ipv6PrefixBits`. A 6to4 prefix has 48 bits, whatever `ipv6PrefixBits` is.
 */
export function formatClientNetwork(address: IpAddress, ipv6PrefixBits: number): string {
  const client = resolveNat64(address);
  if (client.family === 4) return formatIpAddress(client);
  return formatNetwork(
    client,
    client.groups[0] === SIX_TO_FOUR ? SIX_TO_FOUR_BITS : ipv6PrefixBits,
  );
}
