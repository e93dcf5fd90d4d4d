import type { ClientIp } from "../../runtime/client-ip.ts";
import { parseIpAddress } from "../../runtime/ip-address.ts";
import { formatClientNetwork } from "../../runtime/ip-network.ts";

/** The network that a client signs in from, as the limiter knows it; the text of what is no address. */
export function networkOf({ ip }: Pick<ClientIp, "ip">, ipv6PrefixBits: number): string {
  const address = parseIpAddress(ip);
  return address === undefined ? ip : formatClientNetwork(address, ipv6PrefixBits);
}
