import { embeddedIpv4, formatIpAddress, type IpAddress, maskIpAddress } from "./ip-address.ts";

/** The prefix of 6to4, and how much of one of its addresses a site owns. */
const SIX_TO_FOUR = 0x2002;
const SIX_TO_FOUR_BITS = 48;
/** `64:ff9b::/96`, the well-known prefix of NAT64 (RFC 6052). */
const NAT64_GROUPS: readonly number[] = [0x64, 0xff9b, 0, 0, 0, 0];

/** The address that a client has behind NAT64; any other address is returned as it is. */
export function resolveNat64(address: IpAddress): IpAddress {
  if (address.family === 4) return address;
  const { groups } = address;
  const isNat64 = NAT64_GROUPS.every((group, index) => groups[index] === group);
  return isNat64 ? embeddedIpv4(groups) : address;
}

/** The network of an address as text: its first bits, and how many they are. */
export function formatNetwork(address: IpAddress, prefixBits: number): string {
  return `${formatIpAddress(maskIpAddress(address, prefixBits))}/${prefixBits}`;
}

/**
 * The text of the network that one client owns: an IPv4 address itself, also one behind NAT64, or
 * the first bits of an IPv6 address. Of a 6to4 address these are 48, whatever `ipv6PrefixBits` is.
 */
export function formatClientNetwork(address: IpAddress, ipv6PrefixBits: number): string {
  const client = resolveNat64(address);
  if (client.family === 4) return formatIpAddress(client);
  return formatNetwork(
    client,
    client.groups[0] === SIX_TO_FOUR ? SIX_TO_FOUR_BITS : ipv6PrefixBits,
  );
}
