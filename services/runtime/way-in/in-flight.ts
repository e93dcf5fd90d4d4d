import { KeyCounts } from "../key-counts.ts";

/** How many requests may be in flight at a door, and how they are shared. */
export type InFlightBounds = {
  /** In all, known callers and strangers together. */
  max: number;
  /** Of strangers together, so that known callers always find room. */
  strangersMax: number;
  /** Of one stranger's address. */
  perAddressMax: number;
  /** Of one known caller. */
  perCallerMax: number;
};

export type ShareAnswer =
  | { kind: "taken"; release: () => void }
  /** The holder has used up its own share. */
  | { kind: "share-full" }
  /** The door is full whoever asks. */
  | { kind: "door-full" };

/** Counts what is in flight at a door, in all and for each caller and address. */
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

  /** Takes from the share of a known caller, or of a stranger's address. */
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
