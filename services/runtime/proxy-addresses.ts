import { parseIpAddress } from "./ip-address.ts";

/** The kind of network of a derived address that is hardly a client's own. */
export type ProxyNetwork = "private" | "cdn";

export const PROXY_NETWORKS: readonly ProxyNetwork[] = ["private", "cdn"];

/** Ranges that no client on the internet has: the address of an internal proxy or client. */
const PRIVATE = [
  ...["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.168.0.0/16", "::/32", "fc00::/7", "fe80::/10"],
];

/**
 * The servers of large CDNs, as they publish them (cloudflare.com/ips,
 * api.fastly.com/public-ip-list, the CLOUDFRONT entries of Amazon's ip-ranges.json). Used only for
 * a warning: the configuration alone says which proxies are trusted.
 */
const CDN = [
  // Cloudflare
  ...["103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "104.16.0.0/13", "104.24.0.0/14"],
  ...["108.162.192.0/18", "131.0.72.0/22", "141.101.64.0/18", "162.158.0.0/15", "172.64.0.0/13"],
  ...["173.245.48.0/20", "188.114.96.0/20", "190.93.240.0/20", "197.234.240.0/22"],
  ...["198.41.128.0/17", "2400:cb00::/32", "2405:8100::/32", "2405:b500::/32", "2606:4700::/32"],
  ...["2803:f800::/32", "2a06:98c0::/29", "2c0f:f248::/32"],
  // Fastly
  ...["23.235.32.0/20", "43.249.72.0/22", "103.244.50.0/24", "103.245.222.0/23"],
  ...["103.245.224.0/24", "104.156.80.0/20", "140.248.64.0/18", "140.248.128.0/17"],
  ...["146.75.0.0/17", "151.101.0.0/16", "157.52.64.0/18", "167.82.0.0/17", "167.82.128.0/20"],
  ...["167.82.160.0/20", "167.82.224.0/20", "172.111.64.0/18", "185.31.16.0/22"],
  ...["199.27.72.0/21", "199.232.0.0/16", "2a04:4e40::/32", "2a04:4e42::/32"],
  // CloudFront
  ...["13.32.0.0/15", "13.35.0.0/16", "13.224.0.0/14", "13.249.0.0/16", "15.158.0.0/16"],
  ...["18.64.0.0/14", "18.68.0.0/16", "18.154.0.0/15", "18.160.0.0/15", "18.164.0.0/15"],
  ...["18.172.0.0/15", "18.238.0.0/15", "18.244.0.0/15", "52.84.0.0/15", "52.222.128.0/17"],
  ...["54.182.0.0/16", "54.192.0.0/16", "54.230.0.0/16", "54.239.128.0/18", "54.240.128.0/18"],
  ...["64.252.64.0/18", "64.252.128.0/18", "65.8.0.0/16", "65.9.0.0/17", "65.9.128.0/18"],
  ...["70.132.0.0/18", "71.152.0.0/17", "99.84.0.0/16", "99.86.0.0/16", "108.138.0.0/15"],
  ...["108.156.0.0/14", "130.176.0.0/16", "143.204.0.0/16", "144.220.0.0/16", "204.246.164.0/22"],
  ...["204.246.168.0/22", "204.246.176.0/20", "205.251.200.0/21", "205.251.208.0/20"],
  ...["205.251.249.0/24", "205.251.250.0/23", "205.251.252.0/23", "216.137.32.0/19"],
  "2600:9000::/28",
];

/** The first 32 bits of a range's first and last address. */
type Range = { first: number; last: number; network: ProxyNetwork };

const RANGES: Readonly<Record<4 | 6, readonly Range[]>> = { 4: rangesOf(4), 6: rangesOf(6) };

/**
 * The network of an address that is more likely a proxy's than a client's; undefined for others.
 * Runs for every request, hence the binary search.
 */
export function findProxyNetwork(address: string): ProxyNetwork | undefined {
  const parsed = readHead(address);
  if (parsed === undefined) return undefined;
  const ranges = RANGES[parsed.family];
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range === undefined) return undefined;
    if (parsed.head < range.first) high = middle - 1;
    else if (parsed.head > range.last) low = middle + 1;
    else return range.network;
  }
  return undefined;
}

function readHead(text: string): { family: 4 | 6; head: number } | undefined {
  const address = parseIpAddress(text);
  if (address === undefined) return undefined;
  if (address.family === 4) return { family: 4, head: address.value };
  return { family: 6, head: (address.groups[0] ?? 0) * 65_536 + (address.groups[1] ?? 0) };
}

function rangesOf(family: 4 | 6): Range[] {
  const read = (network: ProxyNetwork) => (cidr: string) => {
    const [text = "", bits = ""] = cidr.split("/");
    const parsed = readHead(text);
    if (parsed?.family !== family) return [];
    return [{ first: parsed.head, last: parsed.head + 2 ** (32 - Number(bits)) - 1, network }];
  };
  const all = [...PRIVATE.flatMap(read("private")), ...CDN.flatMap(read("cdn"))];
  return all.sort((one, other) => one.first - other.first);
}
