import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/log.ts";
import type { RevocationPage } from "../access/auth-answers.ts";
import { type AuthClient, REVOCATIONS_PAGE } from "../access/auth-client.ts";
import type { PublicViews } from "../access/public-views.ts";
import { keyOfRevocation, type Revocation, readRevocation, revokes } from "../access/revocation.ts";
import type { RevocationMemory } from "../access/revocation-memory.ts";
import type { Hub } from "./hub.ts";
import type { PublishTargets } from "./publish-targets.ts";
import type { Subscription } from "./subscription.ts";

/**
 * How long streams live on when auth's revocations cannot be heard. An outage of auth must not cut
 * everybody off at once; a revocation must not be held up for longer than this either.
 */
export const UNVERIFIED_GRACE_MS = 60_000;
/** The same for streams that anybody may have: long enough for an outage, and yet an end. */
export const UNVERIFIED_PUBLIC_GRACE_MS = 10 * 60_000;
/** Pages in one round; the next round goes on where this one stopped. */
const PAGES_PER_ROUND_MAX = 1_000;
/** Questions to auth at once after a gap, so that catching up does not become a storm. */
const REVALIDATIONS_AT_ONCE = 8;
/** Nobody else's questions delay those of the feed. */
const ITSELF = { crowd: "feed" } as const;

export type RevocationFeedOptions = {
  auth: AuthClient;
  hub: Hub;
  memory: RevocationMemory;
  views: Pick<PublicViews, "forget">;
  targets: Pick<PublishTargets, "forget">;
  clock: Clock;
  log: Logger;
};

/**
 * Follows auth's revocations and ends what they take back. "Revoked" and "auth cannot be reached"
 * differ: the first cuts at once, the second only after a grace.
 */
export class RevocationFeed {
  readonly #options: RevocationFeedOptions;
  #cursor: string | null = null;
  /** When everything auth had revoked by then was known here. */
  #currentAtMs: number;
  #isCurrent = false;
  /** Subscriptions that a gap in the feed left in doubt. */
  #doubted = new Set<Subscription>();

  constructor(options: RevocationFeedOptions) {
    this.#options = options;
    this.#currentAtMs = options.clock.nowMs();
  }

  /** How old this gateway's knowledge is. */
  lagMs(): number {
    return Math.max(0, this.#options.clock.nowMs() - this.#currentAtMs);
  }

  /** Whether the last round heard everything. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Hears everything new; ends what cannot be verified once the grace is over. */
  async poll(): Promise<void> {
    const startedAtMs = this.#options.clock.nowMs();
    const heardAll = await this.#hearPages();
    this.#isCurrent = heardAll && (await this.#revalidate());
    if (this.#isCurrent) this.#currentAtMs = startedAtMs;
    else this.#endUnverifiable(this.lagMs());
  }

  async #hearPages(): Promise<boolean> {
    for (let pages = 0; pages < PAGES_PER_ROUND_MAX; pages++) {
      const page = await this.#options.auth.listRevocations(this.#cursor);
      if (page.kind === "unreachable") return false;
      this.#apply(page);
      if (page.events.length < REVOCATIONS_PAGE) return true;
    }
    return false;
  }

  #apply(page: RevocationPage): void {
    const { hub, log, memory } = this.#options;
    const revocations = page.events.map(({ kind, value }) => readRevocation(kind, value));
    const unread = page.events.find((_, index) => revocations[index] === undefined);
    // An auth that is newer than this gateway may take back what cannot be named here.
    if (unread !== undefined) log.error({ kind: unread.kind }, "a revocation could not be read");
    if (page.cursorExpired || unread !== undefined) {
      log.warn("revocations were missed; asking auth about every live subscription");
      memory.lose();
      this.#doubted = new Set(hub.all());
    }
    for (const revocation of revocations) if (revocation !== undefined) this.#revoke(revocation);
    this.#cursor = page.nextCursor;
  }

  #revoke(revocation: Revocation): void {
    const { hub, memory, views, targets } = this.#options;
    memory.remember(revocation);
    if (revocation.kind === "datasource") {
      views.forget(revocation.datasource);
      targets.forget(revocation.datasource);
    }
    for (const subscription of hub.find(keyOfRevocation(revocation))) {
      if (revokes(revocation, subscription.grant)) {
        subscription.subscriber.end(subscription, "revoked");
      }
    }
  }

  /** Asks auth about every doubted subscription; false while some could not be asked about. */
  async #revalidate(): Promise<boolean> {
    if (this.#doubted.size === 0) return true;
    const queue = [...this.#doubted];
    const work = async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        await this.#revalidateOne(next);
      }
    };
    await Promise.all(Array.from({ length: REVALIDATIONS_AT_ONCE }, work));
    return this.#doubted.size === 0;
  }

  async #revalidateOne(subscription: Subscription): Promise<void> {
    const { auth } = this.#options;
    const { grant } = subscription;
    const answer =
      grant.token === undefined
        ? await auth.introspectDatasource(grant.datasource, ITSELF)
        : await auth.introspectToken(grant.token.text, ITSELF);
    if (answer.kind === "unreachable") return;
    this.#doubted.delete(subscription);
    // A grant that a refresh put in place meanwhile was asked about by that refresh.
    if (subscription.grant !== grant) return;
    if (answer.kind === "inactive" || answer.accessVersion > grant.accessVersion) {
      subscription.subscriber.end(subscription, "revoked");
    }
  }

  #endUnverifiable(lagMs: number): void {
    if (lagMs <= UNVERIFIED_GRACE_MS) return;
    for (const subscription of this.#options.hub.all()) {
      if (subscription.grant.token !== undefined || lagMs > UNVERIFIED_PUBLIC_GRACE_MS) {
        subscription.subscriber.end(subscription, "unverifiable");
      }
    }
  }
}

/** Polls a feed until stopped; rounds never overlap. */
export function followRevocations(
  feed: RevocationFeed,
  intervalMs: number,
  log: Logger,
): { stop(): void } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const round = () => {
    feed
      .poll()
      .catch((error) => log.error({ err: error }, "polling revocations failed"))
      .finally(() => {
        if (!stopped) timer = setTimeout(round, intervalMs);
      });
  };
  round();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
