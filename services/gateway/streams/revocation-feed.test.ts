import { pino } from "pino";
import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import type { Introspection, RevocationPage } from "../access/auth-answers.ts";
import { REVOCATIONS_PAGE, type Unreachable } from "../access/auth-client.ts";
import type { Grant } from "../access/grant.ts";
import { PublicViews } from "../access/public-views.ts";
import { RevocationMemory } from "../access/revocation-memory.ts";
import { createRealtimeEvents } from "../events.ts";
import { FRAME_CODECS } from "./frame-codec.ts";
import { Hub } from "./hub.ts";
import { PublishTargets } from "./publish-targets.ts";
import {
  RevocationFeed,
  UNVERIFIED_GRACE_MS,
  UNVERIFIED_PUBLIC_GRACE_MS,
} from "./revocation-feed.ts";
import type { Subscription } from "./subscription.ts";

const UNREACHABLE: Unreachable = { kind: "unreachable" };
const INACTIVE: Introspection = { kind: "inactive" };

test("poll() ends what was revoked and nothing else, page by page", async () => {
  const { feed, subscribe, pages, ended, cursors } = setup();
  subscribe("a", { jti: "jti-a" });
  subscribe("b", { jti: "jti-b" });
  subscribe("c", { jti: "jti-c" });
  const filler = Array.from({ length: REVOCATIONS_PAGE - 1 }, (_, index) => jti(`other-${index}`));
  pages.push(page("cursor-1", [...filler, jti("jti-a")]), page("cursor-2", [jti("jti-c")]));
  await feed.poll();
  expect(ended).toEqual(["a revoked", "c revoked"]);
  pages.push(page("cursor-2", []));
  await feed.poll();
  expect(cursors).toEqual([null, "cursor-1", "cursor-2"]);
});

test("poll() keeps streams while auth is away, then ends those with a token, and at last all", async () => {
  const { feed, subscribe, ended, clock } = setup();
  subscribe("with-token", { jti: "jti-a" });
  subscribe("public", {});
  clock.advance(UNVERIFIED_GRACE_MS);
  await feed.poll();
  expect([ended, feed.lagMs(), feed.isCurrent]).toEqual([[], UNVERIFIED_GRACE_MS, false]);
  clock.advance(1);
  await feed.poll();
  expect(ended).toEqual(["with-token unverifiable"]);
  clock.advance(UNVERIFIED_PUBLIC_GRACE_MS - UNVERIFIED_GRACE_MS);
  await feed.poll();
  expect(ended).toContain("public unverifiable");
});

test("poll() asks about every live subscription when a revocation cannot be read", async () => {
  const { feed, subscribe, pages, tokens, ended } = setup();
  subscribe("alive", { jti: "jti-a" });
  subscribe("dead", { jti: "jti-b" });
  tokens.set("token jti-a", active("alive", "1"));
  tokens.set("token jti-b", INACTIVE);
  pages.push(page("cursor", [{ kind: "of a newer auth", value: "b" }]));
  await feed.poll();
  expect(ended).toEqual(["dead revoked"]);
});

test("poll() forgives an outage that ends within the grace", async () => {
  const { feed, subscribe, pages, ended, clock } = setup();
  subscribe("a", { jti: "jti-a" });
  clock.advance(UNVERIFIED_GRACE_MS);
  await feed.poll();
  pages.push(page("cursor", []));
  await feed.poll();
  expect([feed.lagMs(), feed.isCurrent]).toEqual([0, true]);
  clock.advance(UNVERIFIED_GRACE_MS);
  await feed.poll();
  expect(ended).toEqual([]);
});

test("poll() asks about every live subscription when revocations were missed", async () => {
  const { feed, subscribe, pages, tokens, datasources, ended, memory } = setup();
  const alive = subscribe("alive", { jti: "jti-a" });
  subscribe("dead", { jti: "jti-b" });
  subscribe("closed", {});
  subscribe("changed", {});
  subscribe("public", {});
  tokens.set("token jti-a", active("alive", "1"));
  tokens.set("token jti-b", INACTIVE);
  datasources.set("closed", INACTIVE);
  datasources.set("changed", active("changed", "2"));
  datasources.set("public", active("public", "1"));
  pages.push({ ...page("cursor", []), cursorExpired: true });
  await feed.poll();
  expect(ended.sort()).toEqual(["changed revoked", "closed revoked", "dead revoked"]);
  expect(memory.check(alive.grant)).toBe("unknown");
  expect(feed.isCurrent).toBe(true);
});

test("poll() stays in doubt until it could ask about all of them", async () => {
  const { feed, subscribe, pages, tokens, ended, clock } = setup();
  subscribe("a", { jti: "jti-a" });
  pages.push({ ...page("cursor", []), cursorExpired: true });
  clock.advance(10);
  await feed.poll();
  expect([feed.isCurrent, feed.lagMs(), ended]).toEqual([false, 10, []]);
  tokens.set("token jti-a", INACTIVE);
  pages.push(page("cursor", []));
  await feed.poll();
  expect([feed.isCurrent, feed.lagMs(), ended]).toEqual([true, 0, ["a revoked"]]);
});

test("a revocation makes a public datasource be looked at anew", async () => {
  const { feed, views, pages, datasources } = setup();
  datasources.set("demo", active("demo", "1"));
  expect(await views.find("demo", "192.0.2.1")).toMatchObject({ kind: "public", accessVersion: 1 });
  datasources.set("demo", INACTIVE);
  expect(await views.find("demo", "192.0.2.1")).toMatchObject({ kind: "public" });
  pages.push(page("cursor", [{ kind: "datasource", value: "demo:2" }]));
  await feed.poll();
  expect(await views.find("demo", "192.0.2.1")).toEqual({ kind: "not-public" });
});

test("PublicViews asks again after a while, and remembers neither refusals nor outages", async () => {
  const { views, datasources, clock } = setup();
  expect(await views.find("demo", "192.0.2.1")).toEqual(UNREACHABLE);
  datasources.set("demo", INACTIVE);
  expect(await views.find("demo", "192.0.2.1")).toEqual({ kind: "not-public" });
  datasources.set("demo", active("demo", "1"));
  expect(await views.find("demo", "192.0.2.1")).toMatchObject({ kind: "public" });
  datasources.set("demo", INACTIVE);
  clock.advance(2_999);
  expect(await views.find("demo", "192.0.2.1")).toMatchObject({ kind: "public" });
  clock.advance(1);
  expect(await views.find("demo", "192.0.2.1")).toEqual({ kind: "not-public" });
});

test("PublicViews asks once however many want to know", async () => {
  const { views, datasources, questions } = setup();
  datasources.set("demo", active("demo", "1"));
  await Promise.all(Array.from({ length: 100 }, () => views.find("demo", "192.0.2.1")));
  expect(questions).toEqual(["demo"]);
});

function jti(value: string) {
  return { kind: "jti", value };
}

function page(nextCursor: string, events: RevocationPage["events"]): RevocationPage {
  return { kind: "page", events, nextCursor, cursorExpired: false };
}

function active(datasource: string, accessVersion: string): Introspection {
  const scope = "datasource:stream";
  return { kind: "active", datasource, subject: "public", scope, accessVersion: +accessVersion };
}

/** Auth's answers are what the test lays out; whatever is not laid out cannot be reached. */
function setup() {
  const clock = createManualClock(0);
  const pages: RevocationPage[] = [];
  const cursors: (string | null)[] = [];
  const questions: string[] = [];
  const tokens = new Map<string, Introspection>();
  const datasources = new Map<string, Introspection>();
  const ended: string[] = [];
  const memory = new RevocationMemory();
  const hub = new Hub({ createEpoch: () => "epoch", clock, events: createRealtimeEvents() });
  const auth = {
    introspectToken: async (token: string) => tokens.get(token) ?? UNREACHABLE,
    async introspectDatasource(datasource: string) {
      questions.push(datasource);
      return datasources.get(datasource) ?? UNREACHABLE;
    },
    async introspectDatasources(names: readonly string[]) {
      questions.push(...names);
      const answers = names.flatMap((name) => datasources.get(name) ?? []);
      return answers.length === names.length ? answers : UNREACHABLE;
    },
    async listRevocations(cursor: string | null) {
      cursors.push(cursor);
      return pages.shift() ?? UNREACHABLE;
    },
  };
  const views = new PublicViews({ auth, revocations: memory, clock });
  const targets = new PublishTargets({ auth, clock });
  const log = pino({ level: "silent" });
  const feed = new RevocationFeed({ auth, hub, memory, views, targets, clock, log });
  const subscribe = (datasource: string, { jti }: { jti?: string }): Subscription => {
    const about = { jti: jti ?? "", keyId: "key", issuedAtMs: 0, expiresAtMs: 1e9 };
    const token = { text: `token ${jti}`, ...about };
    const grant: Grant = { datasource, subject: "public", accessVersion: 1, heardUntil: 0 };
    const subscription: Subscription = {
      datasource,
      grant: jti === undefined ? grant : { ...grant, token },
      sentOffset: 0n,
      isBehind: false,
      subscriber: {
        codec: FRAME_CODECS["portcullis.realtime.v1.json"],
        offer: () => true,
        end(subscription, reason) {
          hub.remove(subscription);
          ended.push(`${subscription.datasource} ${reason}`);
        },
      },
    };
    hub.add(subscription);
    return subscription;
  };
  return {
    feed,
    views,
    memory,
    clock,
    pages,
    cursors,
    questions,
    tokens,
    datasources,
    ended,
    subscribe,
  };
}
