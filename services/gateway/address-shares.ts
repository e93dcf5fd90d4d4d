import {
  embeddedIpv4,
  formatIpAddress,
  type IpAddress,
  maskIpAddress,
  parseIpAddress,
} from "../runtime/ip-address.ts";

/** One IPv6 customer has at least this; a provider hands out whole networks of them. */
const ADDRESS_BITS = 64;
const NETWORK_BITS = 48;
/** The well-known prefix of NAT64 (RFC 6052): behind it are IPv4 addresses. */
const NAT64_GROUPS: readonly number[] = [0x64, 0xff9b, 0, 0, 0, 0];

/** How many may be held in all, by one address, and by one IPv6 network (/48). */
export type ShareBounds = { total: number; address: number; network: number };

/** Why a share was not given: the address has its share already, or everything is taken. */
export type ShareAnswer = "taken" | "over-share" | "full";

/** Something bounded of which no address can take more than a small part. */
export class AddressShares {
  readonly #bounds: ShareBounds;
  readonly #byKey = new Map<string, number>();
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
    if (this.#held(own) >= ownMax) return "over-share";
    if (network !== undefined && this.#held(network) >= networkMax) return "over-share";
    if (this.#total >= total) return "full";
    this.#add(own, 1);
    if (network !== undefined) this.#add(network, 1);
    this.#total++;
    return "taken";
  }

  giveBack(address: string): void {
    const { own, network } = shareKeys(address);
    this.#add(own, -1);
    if (network !== undefined) this.#add(network, -1);
    this.#total--;
  }

  #held(key: string): number {
    return this.#byKey.get(key) ?? 0;
  }

  #add(key: string, change: number): void {
    const held = this.#held(key) + change;
    if (held > 0) this.#byKey.set(key, held);
    else this.#byKey.delete(key);
  }
}

/** Whose share an address counts towards. */
export function shareKeys(address: string): { own: string; network: string | undefined } {
  const parsed = parseIpAddress(address);
  if (parsed === undefined) return { own: address, network: undefined };
  if (parsed.family === 4) return { own: formatIpAddress(parsed), network: undefined };
  if (NAT64_GROUPS.every((group, index) => parsed.groups[index] === group)) {
    return { own: formatIpAddress(embeddedIpv4(parsed.groups)), network: undefined };
  }
  return {
    own: `${prefixOf(parsed, ADDRESS_BITS)}/${ADDRESS_BITS}`,
    network: `${prefixOf(parsed, NETWORK_BITS)}/${NETWORK_BITS}`,
  };
}

function prefixOf(address: IpAddress, bits: number): string {
  return formatIpAddress(maskIpAddress(address, bits));
}
