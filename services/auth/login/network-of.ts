import type { ClientIp } from "../../runtime/client-ip.ts";
import { parseIpAddress } from "../../runtime/ip-address.ts";
import { formatClientNetwork } from "../../runtime/ip-network.ts";

/** The network of a client as the limiter knows it; the text itself if it is no address. */
export function networkOf({ ip }: Pick<ClientIp, "ip">, ipv6PrefixBits: number): string {
  const address = parseIpAddress(ip);
  return address === undefined ? ip : formatClientNetwork(address, ipv6PrefixBits);
}
