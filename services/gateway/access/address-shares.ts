import { formatIpAddress, parseIpAddress } from "../../runtime/ip-address.ts";
import { formatNetwork, resolveNat64 } from "../../runtime/ip-network.ts";
import { KeyCounts } from "../../runtime/key-counts.ts";

/** One IPv6 customer has at least this; a provider hands out whole networks of them. */
const ADDRESS_BITS = 64;
const NETWORK_BITS = 48;

/** How many may be held in all, by one address, and by one IPv6 network (/48). */
export type ShareBounds = { total: number; address: number; network: number };

/** Why a share was not given: the address has its share already, or everything is taken. */
export type ShareAnswer = "taken" | "over-share" | "full";

/** Something bounded of which no address can take more than a small part. */
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

  giveBack(address: string): void {
    const { own, network } = shareKeys(address);
    this.#held.add(own, -1);
    if (network !== undefined) this.#held.add(network, -1);
    this.#total--;
  }
}

/** Whose share an address counts towards. */
export function shareKeys(address: string): { own: string; network: string | undefined } {
  const parsed = parseIpAddress(address);
  if (parsed === undefined) return { own: address, network: undefined };
  const client = resolveNat64(parsed);
  if (client.family === 4) return { own: formatIpAddress(client), network: undefined };
  return { own: formatNetwork(client, ADDRESS_BITS), network: formatNetwork(client, NETWORK_BITS) };
}
