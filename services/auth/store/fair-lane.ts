/** Work that waits for its turn. */
export type Waiting = { begin(): void; shed(): void };

export type LaneBounds = {
  /** Of all shares together. */
  waitingMax: number;
  /** Of one share. */
  shareWaitingMax: number;
};

/**
 * Waiting work by share. The shares take turns. A full lane makes room for a light share by
 * shedding the newest work of the heaviest one.
 */
export class FairLane {
  readonly #bounds: LaneBounds;
  /** In the order of their turns; no share is empty. */
  readonly #shares = new Map<string, Waiting[]>();
  #size = 0;

  constructor(bounds: LaneBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds work; false if there is no room, and no heavier share to take it from. */
  add(share: string, waiting: Waiting): boolean {
    const own = this.#shares.get(share) ?? [];
    if (own.length >= this.#bounds.shareWaitingMax) return false;
    if (this.#size >= this.#bounds.waitingMax && !this.#makeRoom(own.length)) return false;
    this.#shares.set(share, own);
    own.push(waiting);
    this.#size++;
    return true;
  }

  /** Removes and returns the oldest work of the share whose turn it is. */
  take(): Waiting | undefined {
    for (const [share, own] of this.#shares) {
      const next = own.shift();
      this.#shares.delete(share);
      if (own.length > 0) this.#shares.set(share, own);
      this.#size--;
      return next;
    }
    return undefined;
  }

  remove(share: string, waiting: Waiting): void {
    const own = this.#shares.get(share);
    const index = own?.indexOf(waiting) ?? -1;
    if (own === undefined || index < 0) return;
    own.splice(index, 1);
    if (own.length === 0) this.#shares.delete(share);
    this.#size--;
  }

  /**
   * Sheds the newest work of the heaviest share, if that share has two more than the newcomer's.
   */
  #makeRoom(newcomersLength: number): boolean {
    let heaviest: { share: string; own: Waiting[] } | undefined;
    for (const [share, own] of this.#shares) {
      if (own.length > (heaviest?.own.length ?? 0)) heaviest = { share, own };
    }
    if (heaviest === undefined || heaviest.own.length < newcomersLength + 2) return false;
    const newest = heaviest.own.at(-1);
    if (newest === undefined) return false;
    this.remove(heaviest.share, newest);
    newest.shed();
    return true;
  }
}
