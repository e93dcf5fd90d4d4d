import { expect, test } from "vitest";
import { RecentRefunds } from "./recent-refunds.ts";

const bucket = (key: string) => ({ policy: "login.ip", key });

test("waitMs() names the time until a rejection can be believed", () => {
  const refunds = new RecentRefunds();
  refunds.note([bucket("a"), bucket("b")], 1_000);
  refunds.note([bucket("b")], 1_100);
  expect(refunds.waitMs([bucket("a")], 1_050)).toBe(250);
  expect(refunds.waitMs([bucket("a"), bucket("b")], 1_100)).toBe(300);
  expect(refunds.waitMs([bucket("c")], 1_100)).toBe(0);
  expect(refunds.waitMs([bucket("b")], 1_400)).toBe(0);
  expect(refunds.waitMs([bucket("b")], 900)).toBe(0);
});

test("note() remembers a bounded number, the newest", () => {
  const refunds = new RecentRefunds();
  for (let index = 0; index < 5_000; index++) refunds.note([bucket(`${index}`)], 1_000);
  expect(refunds.waitMs([bucket("0")], 1_000)).toBe(0);
  expect(refunds.waitMs([bucket("4999")], 1_000)).toBe(300);
});
