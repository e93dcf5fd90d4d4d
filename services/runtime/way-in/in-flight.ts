import { KeyCounts } from "../key-counts.ts";

/** How many requests may be in flight at a door, and how they are shared. */
export type InFlightBounds = {
  /** Known callers and strangers together. */
  max: number;
  /** All strangers together. Less than `max`, so that known callers always find room. */
  strangersMax: number;
  /** One stranger's address. */
  perAddressMax: number;
  /** One known caller. */
  perCallerMax: number;
};

export type ShareAnswer =
  | { kind: "taken"; release: () => void }
  /** The caller or address has used up its own share. */
  | { kind: "share-full" }
  /** The door, or its part for strangers, has no room left. */
  | { kind: "door-full" };

/** Counts the requests in flight at a door: in total, by caller and by address. */
export class InFlight {
  readonly #bounds: InFlightBounds;
  readonly #callers = new KeyCounts();
  readonly #addresses = new KeyCounts();
  #all = 0;
  #strangers = 0;

  constructor(bounds: InFlightBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#all;
  }

  /** Takes one place from the share of a known caller, or of a stranger's address. */
  take(kind: "caller" | "address", name: string): ShareAnswer {
    const isStranger = kind === "address";
    const share = (isStranger ? this.#addresses : this.#callers).get(name);
    const { max, strangersMax, perAddressMax, perCallerMax } = this.#bounds;
    if (share >= (isStranger ? perAddressMax : perCallerMax)) return { kind: "share-full" };
    if (this.#all >= max || (isStranger && this.#strangers >= strangersMax)) {
      return { kind: "door-full" };
    }
    this.#change(name, isStranger, 1);
    let isReleased = false;
    const release = () => {
      if (!isReleased) this.#change(name, isStranger, -1);
      isReleased = true;
    };
    return { kind: "taken", release };
  }

  #change(name: string, isStranger: boolean, by: 1 | -1): void {
    this.#all += by;
    if (isStranger) this.#strangers += by;
    (isStranger ? this.#addresses : this.#callers).add(name, by);
  }
}
