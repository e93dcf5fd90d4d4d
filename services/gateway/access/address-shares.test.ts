import { expect, test } from "vitest";
import { AddressShares, shareKeys } from "./address-shares.ts";

test("shareKeys() names one customer and its network, however the address is written", () => {
  const cases = {
    "192.0.2.1": ["192.0.2.1", undefined],
    "::ffff:192.0.2.1": ["192.0.2.1", undefined],
    "0000:0000:0000:0000:0000:ffff:c000:0201": ["192.0.2.1", undefined],
    "64:ff9b::192.0.2.1": ["192.0.2.1", undefined],
    "2001:db8:1:2:3::4": ["2001:db8:1:2::/64", "2001:db8:1::/48"],
    "2001:0db8:0001:0002:ffff:0000:0000:0009": ["2001:db8:1:2::/64", "2001:db8:1::/48"],
    "doubtful 192.0.2.1": ["doubtful 192.0.2.1", undefined],
    "": ["", undefined],
  };
  for (const [address, [own, network]] of Object.entries(cases)) {
    expect(shareKeys(address), address).toEqual({ own, network });
  }
});

test("no address takes more than its share, and what is released can be taken again", () => {
  const shares = new AddressShares({ total: 5, address: 2, network: 3 });
  const takes = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"].map((ip) => shares.take(ip));
  expect(takes).toEqual(["taken", "taken", "over-share", "taken"]);
  shares.release("192.0.2.1");
  expect(shares.take("192.0.2.1")).toBe("taken");
});

test("no network takes more than its share, and the total is everybody's", () => {
  const shares = new AddressShares({ total: 5, address: 2, network: 3 });
  const takes = [1, 2, 3, 4].map((subnet) => shares.take(`2001:db8:1:${subnet}::1`));
  expect(takes).toEqual(["taken", "taken", "taken", "over-share"]);
  expect(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((ip) => shares.take(ip))).toEqual([
    "taken",
    "taken",
    "full",
  ]);
  for (const subnet of [1, 2, 3]) shares.release(`2001:db8:1:${subnet}::1`);
  expect(shares.total).toBe(2);
});
