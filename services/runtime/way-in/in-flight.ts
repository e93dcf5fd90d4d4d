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

/** Whose share a request takes from. */
export type ShareHolder = { kind: "caller" | "address"; name: string };

export type ShareAnswer =
  | { kind: "taken"; release: () => void }
  /** The holder has used up its own share. */
  | { kind: "share-full" }
  /** The door is full whoever asks. */
  | { kind: "door-full" };

/** Counts what is in flight at a door, in all and for each caller and address. */
export class InFlight {
  readonly #bounds: InFlightBounds;
  readonly #shares = new Map<string, number>();
  #all = 0;
  #strangers = 0;

  constructor(bounds: InFlightBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#all;
  }

  take({ kind, name }: ShareHolder): ShareAnswer {
    const isStranger = kind === "address";
    const key = `${kind} ${name}`;
    const share = this.#shares.get(key) ?? 0;
    const { max, strangersMax, perAddressMax, perCallerMax } = this.#bounds;
    if (share >= (isStranger ? perAddressMax : perCallerMax)) return { kind: "share-full" };
    if (this.#all >= max || (isStranger && this.#strangers >= strangersMax)) {
      return { kind: "door-full" };
    }
    this.#change(key, isStranger, 1);
    let isReleased = false;
    const release = () => {
      if (!isReleased) this.#change(key, isStranger, -1);
      isReleased = true;
    };
    return { kind: "taken", release };
  }

  #change(key: string, isStranger: boolean, by: 1 | -1): void {
    this.#all += by;
    if (isStranger) this.#strangers += by;
    const share = (this.#shares.get(key) ?? 0) + by;
    if (share === 0) this.#shares.delete(key);
    else this.#shares.set(key, share);
  }
}
