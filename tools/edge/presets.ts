import type { Topology } from "./edge-config.ts";

/** What connects to the edge and what it writes, for those that many deployments have. */
export type Preset = {
  name: string;
  topology: Topology;
  /** In which header it names the client. */
  header: string;
  /** How many entries at the end of the header it writes; the leftmost of them is the client. */
  entries: number;
  /** Where the ranges that it connects from are to be found; none for those nobody stands before. */
  peers: string;
};

/** The header that most proxies append to; in any other mostly one address stands alone. */
export const FORWARDED_FOR = "X-Forwarded-For";

/** The ranges of a load balancer inside a private network. */
const SUBNETS = "the ranges of the subnets it stands in";

function resolving(
  name: string,
  peers: string,
  { header = FORWARDED_FOR, entries = 1 }: { header?: string; entries?: number } = {},
): Preset {
  return { name, topology: "cdn", header, entries, peers };
}

const NOBODY = { topology: "direct", header: FORWARDED_FOR, entries: 1, peers: "" } as const;

/** Clients connect to the edge themselves. */
export const DIRECT: Preset = { name: "direct", ...NOBODY };

export const PRESETS: readonly Preset[] = [
  DIRECT,
  resolving("cdn", "the addresses the CDN connects from"),
  {
    ...{ name: "cdn-append", topology: "cdn-append", header: FORWARDED_FOR, entries: 1 },
    peers: "the addresses the CDN connects from",
  },
  // With or without client ports (routing.http.xff_client_port.enabled).
  resolving("aws-alb", SUBNETS),
  // Passes connections on and preserves their address; its PROXY protocol must be off.
  { name: "aws-nlb", ...NOBODY },
  resolving("cloudfront", "AWS' prefix list com.amazonaws.global.cloudfront.origin-facing"),
  // Appends the client and then its own address.
  resolving("google", "130.211.0.0/22 and 35.191.0.0/16, or the proxy-only subnet", { entries: 2 }),
  resolving("azure-front-door", "Azure's service tag AzureFrontDoor.Backend"),
  // Appends "ip:port".
  resolving("azure-application-gateway", "the range of its subnet"),
  resolving("cloudflare", "the lists at www.cloudflare.com/ips", { header: "CF-Connecting-IP" }),
  resolving("fastly", "the list at api.fastly.com/public-ip-list"),
  resolving("akamai", "Akamai's Site Shield or Origin IP ACL", { header: "True-Client-IP" }),
  resolving("fly", "the addresses that Fly's proxy connects from, in 172.16.0.0/12 and fdaa::/16", {
    header: "Fly-Client-IP",
  }),
  resolving("railway", "the addresses that Railway's edge connects from", { header: "X-Real-IP" }),
  resolving("digitalocean", "the addresses that App Platform connects from", {
    header: "do-connecting-ip",
  }),
  resolving("heroku", "the addresses that Heroku's router connects from, in 10.0.0.0/8"),
  resolving("render", "the addresses that Render's balancer connects from, in 10.0.0.0/8", {
    header: "True-Client-IP",
  }),
];

export const PRESET_NAMES: readonly string[] = PRESETS.map(({ name }) => name);

export function findPreset(name: string): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name);
}

/**
 * How many hops services have straight behind it, without an edge; undefined where it names the
 * client in a header that services do not read, so that it needs an edge.
 */
export function hopsWithoutEdge({ topology, header, entries }: Preset): number | undefined {
  if (header !== FORWARDED_FOR) return undefined;
  return topology === "direct" ? 0 : entries;
}

/** What the proxies in front of services do with the header, as measured there. */
export type Writing = { hops: number; habit: "overwrites" | "appends" };

/**
 * The names that fit what was measured: those of a rendered edge, where one overwrites the header,
 * and those of balancers that services stand straight behind, where one appends to it.
 */
export function fittingPresets({ hops, habit }: Writing): readonly string[] {
  const fitting = PRESETS.filter((preset) => {
    if (habit === "overwrites") return hops === 1 && preset.topology !== "cdn-append";
    if (preset.topology === "cdn-append") return hops === 2;
    return preset.topology === "cdn" && hopsWithoutEdge(preset) === hops;
  });
  return fitting.map(({ name }) => name);
}
