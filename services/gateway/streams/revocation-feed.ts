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
 * How long streams go on while auth's revocations cannot be read. An outage of auth must not end
 * all streams at once, and no revocation may be delayed for longer than this.
 */
export const UNVERIFIED_GRACE_MS = 60_000;
/** The same for public streams: longer than most outages. */
export const UNVERIFIED_PUBLIC_GRACE_MS = 10 * 60_000;
/** Pages in one round; the next round continues where this one stopped. */
const PAGES_PER_ROUND_MAX = 1_000;
/** Questions to auth in flight after a gap, so that catching up does not overload auth. */
const REVALIDATIONS_AT_ONCE = 8;
/** Questions of clients do not delay those of the feed. */
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
 * Follows auth's revocations and ends the streams that they name. A revocation ends a stream at
 * once; an auth that cannot be reached ends it only after a grace period.
 */
export class RevocationFeed {
  readonly #options: RevocationFeedOptions;
  #cursor: string | null = null;
  /** The last moment up to which all revocations are known here. */
  #currentAtMs: number;
  #isCurrent = false;
  /** Subscriptions that a gap in the feed left in doubt. */
  #doubted = new Set<Subscription>();

  constructor(options: RevocationFeedOptions) {
    this.#options = options;
    this.#currentAtMs = options.clock.nowMs();
  }

  /** The age of this gateway's knowledge. */
  lagMs(): number {
    return Math.max(0, this.#options.clock.nowMs() - this.#currentAtMs);
  }

  /** Whether the last round read all revocations. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /**
   * Reads the new revocations; after the grace period, ends the streams that cannot be verified.
   */
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
    // A newer auth may revoke something for which this gateway has no name.
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

  /** Asks auth about every subscription in doubt; false if some got no answer. */
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
    // A refresh has replaced the grant meanwhile, and has asked auth about the new one.
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
