import { expect, test } from "vitest";
import { WouldBeRejections } from "./would-be-rejections.ts";

test("isFirst() counts a lease once, for as long as its holder asks again within the TTL", () => {
  const rejections = new WouldBeRejections();
  const lease = { id: "a", ttlMs: 30_000 };
  const first = [0, 10_000, 39_999, 69_999, 80_000].map((nowMs) =>
    rejections.isFirst("p", lease, nowMs),
  );
  expect(first).toEqual([true, false, false, true, false]);
  expect(rejections.isFirst("q", lease, 80_000)).toBe(true);
  expect(rejections.isFirst("p", { ...lease, id: "b" }, 80_000)).toBe(true);
});
