import { expect, test } from "vitest";
import { parseCidr } from "./ip-address.ts";
import { createLogger } from "./log.ts";
import { warnOfUnnamedProxies } from "./unnamed-proxies.ts";

const named = [parseCidr("10.0.0.0/8")].flatMap((cidr) => cidr ?? []);

for (const { trust, isDevelopment, warnings } of [
  { trust: { hops: 1 }, isDevelopment: false, warnings: 1 },
  { trust: { hops: 2, trustedProxies: undefined }, isDevelopment: false, warnings: 1 },
  { trust: { hops: 1, trustedProxies: named }, isDevelopment: false, warnings: 0 },
  { trust: { hops: 0 }, isDevelopment: false, warnings: 0 },
  { trust: { hops: 1 }, isDevelopment: true, warnings: 0 },
]) {
  test(`warnOfUnnamedProxies() warns ${warnings} times with ${JSON.stringify({ trust, isDevelopment })}`, () => {
    const texts: string[] = [];
    const { log } = createLogger("auth", "silent");
    log.warn = (_fields: object, text?: string) => void texts.push(text ?? "");
    warnOfUnnamedProxies({ listen: { isDevelopment }, trust }, log);
    expect(texts).toHaveLength(warnings);
    expect(texts.every((text) => text.includes("TRUSTED_PROXY_CIDRS"))).toBe(true);
  });
}
