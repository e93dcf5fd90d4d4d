import { expect, test } from "vitest";
import { findProxyNetwork } from "./proxy-addresses.ts";

const CASES = [
  ["private", ["10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "169.254.1.1"]],
  ["private", ["172.16.0.0", "172.31.255.255", "192.168.0.1", "::1", "fd00::1", "fe80::1"]],
  ["cdn", ["104.16.0.1", "172.64.0.1", "172.71.255.255", "2606:4700::6810:1", "2a06:98c7::1"]],
  ["cdn", ["151.101.1.69", "2a04:4e42::1", "13.32.0.1", "130.176.200.1", "2600:900f::1"]],
  [undefined, ["9.255.255.255", "11.0.0.0", "100.128.0.1", "172.15.255.255", "172.32.0.0"]],
  [undefined, ["203.0.113.9", "8.8.8.8", "104.28.0.1", "2001:db8::1", "2a06:98c8::1"]],
  [undefined, ["", "unknown", "255.255.255.255", "0.0.0.1", "ffff:ffff::1"]],
] as const;

for (const [network, addresses] of CASES) {
  test(`findProxyNetwork() answers ${network} for ${addresses.join(", ")}`, () => {
    expect(addresses.map((address) => findProxyNetwork(address))).toEqual(
      addresses.map(() => network),
    );
  });
}
