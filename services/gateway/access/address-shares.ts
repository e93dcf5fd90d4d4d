import { formatIpAddress, parseIpAddress } from "../../runtime/ip-address.ts";
import { formatNetwork, resolveNat64 } from "../../runtime/ip-network.ts";
import { KeyCounts } from "../../runtime/key-counts.ts";

/** One IPv6 customer has at least a /64; a provider hands out whole /48 networks. */
const ADDRESS_BITS = 64;
const NETWORK_BITS = 48;

/** The most shares in all, of one address, and of one IPv6 network (/48). */
export type ShareBounds = { total: number; address: number; network: number };

/** Whether a share was taken; if not, whose bound is reached: the address's or the total. */
export type ShareAnswer = "taken" | "over-share" | "full";

/** A bounded number of shares, of which no address can take more than a small part. */
export class AddressShares {
  readonly #bounds: ShareBounds;
  readonly #held = new KeyCounts();
  #total = 0;

  constructor(bounds: ShareBounds) {
    this.#bounds = bounds;
  }

  get total(): number {
    return this.#total;
  }

  take(address: string): ShareAnswer {
    const { address: ownMax, network: networkMax, total } = this.#bounds;
    const { own, network } = shareKeys(address);
    if (this.#held.get(own) >= ownMax) return "over-share";
    if (network !== undefined && this.#held.get(network) >= networkMax) return "over-share";
    if (this.#total >= total) return "full";
    this.#held.add(own, 1);
    if (network !== undefined) this.#held.add(network, 1);
    this.#total++;
    return "taken";
  }

  release(address: string): void {
    const { own, network } = shareKeys(address);
    this.#held.add(own, -1);
    if (network !== undefined) this.#held.add(network, -1);
    this.#total--;
  }
}

/** The keys under which the shares of an address are counted. */
export function shareKeys(address: string): { own: string; network: string | undefined } {
  const parsed = parseIpAddress(address);
  if (parsed === undefined) return { own: address, network: undefined };
  const client = resolveNat64(parsed);
  if (client.family === 4) return { own: formatIpAddress(client), network: undefined };
  return { own: formatNetwork(client, ADDRESS_BITS), network: formatNetwork(client, NETWORK_BITS) };
}
