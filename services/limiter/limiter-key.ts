import {
  embeddedIpv4,
  formatIpAddress,
  type IpAddress,
  maskIpAddress,
  parseIpAddress,
} from "../runtime/ip-address.ts";

/** The prefix of 6to4, and how much of one of its addresses a site owns. */
const SIX_TO_FOUR = 0x2002;
const SIX_TO_FOUR_BITS = 48;

/** `64:ff9b::/96`: the IPv4 address inside is whom it stands for. */
function isNat64(groups: readonly number[]): boolean {
  return (
    groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0)
  );
}

/**
 * The text that stands for everybody who shares an address's limit: an IPv4 address itself, an IPv6
 * address's network. Undefined for a text that is no address.
 */
export function limiterKeyOf(text: string, ipv6PrefixBits: number): string | undefined {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : networkOf(address, ipv6PrefixBits);
}

function networkOf(address: IpAddress, ipv6PrefixBits: number): string {
  if (address.family === 4) return formatIpAddress(address);
  if (isNat64(address.groups)) return formatIpAddress(embeddedIpv4(address.groups));
  const bits = address.groups[0] === SIX_TO_FOUR ? SIX_TO_FOUR_BITS : ipv6PrefixBits;
  return `${formatIpAddress(maskIpAddress(address, bits))}/${bits}`;
}
