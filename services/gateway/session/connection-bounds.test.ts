import { expect, test } from "vitest";
import { divideConnections } from "./connection-bounds.ts";

test("divideConnections() leaves descriptors for the rest of the process, whatever the limit", () => {
  for (const openFilesMax of [64, 256, 1_024, 4_096, 20_000, 65_536, 1_048_576]) {
    const { waiting, pending, sessions } = divideConnections(openFilesMax);
    const clients = waiting + pending.total + sessions;
    expect(openFilesMax - clients, `${openFilesMax}`).toBeGreaterThanOrEqual(
      Math.min(512, openFilesMax / 2),
    );
    for (const part of [waiting, pending.total, pending.address, sessions]) {
      expect(part, `${openFilesMax}`).toBeGreaterThan(0);
    }
    expect(pending.address).toBeLessThanOrEqual(Math.ceil(pending.total / 2));
  }
});

test("divideConnections() stays within what memory allows where descriptors do not end", () => {
  expect(divideConnections(Number.POSITIVE_INFINITY)).toMatchObject({
    waiting: 2_000,
    pending: { total: 2_000, address: 64, network: 256 },
    sessions: 50_000,
    unsubscribed: 12_500,
  });
});
