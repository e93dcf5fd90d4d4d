import { PRIVATE_PORTS, REALTIME_PATH } from "../edge-policy.ts";

/** Which of the addresses that a configuration forwards to are services of Portcullis. */
export type OurUpstreams = {
  /** Whether the configuration shows any. Without one its routes cannot be judged. */
  isAnyKnown: boolean;
  /** Whether one of these is, or may be: none at all stands for an address that nobody can read. */
  isAmong: (addresses: readonly string[]) => boolean;
  /** Whether a service of ours is on the same host, so that its other ports are ours as well. */
  isHostOfOurs: (address: string) => boolean;
};

/** What only Portcullis answers: a route that takes one of these by name leads to it. */
export const OUR_PATHS = [
  "/portcullis.auth.v1.AuthService/Login",
  "/portcullis.auth.v1.DatasourceService/MintToken",
  "/portcullis.limiter.v1.LimiterService/Consume",
  REALTIME_PATH,
  `${REALTIME_PATH}/why`,
] as const;

/** What any website may be asked for: a route that takes one of these takes ours by chance. */
export const FOREIGN_PATHS = ["/", "/index.html", "/api/v1/items", "/Some.Thing/Else"] as const;

/** A name in a pattern, be it escaped, that nobody else has. */
const OUR_NAME = /portcullis|\/gateway\/realtime|\/internal\/gateway/i;

/** Whether a pattern of paths spells a name of ours. */
export function namesOurs(pattern: string): boolean {
  return OUR_NAME.test(pattern.replaceAll("\\", ""));
}

/** AUTH_PORT, LIMITER_PORT and LIMITER_GRPC_PORT by default, and auth's port for operators. */
const OUR_PORTS: readonly string[] = [
  "4001",
  "4002",
  "4003",
  String(PRIVATE_PORTS.AUTH_ADMIN_PORT),
];
/** The gateway's ports; other programs use them too, so a host of ours must have them. */
const GATEWAY_PORTS: readonly string[] = ["8001", String(PRIVATE_PORTS.GATEWAY_RPC_PORT)];

/**
 * Tells services of ours from other applications in the same file: by what a route of ours leads
 * to, by what the operator named, and by names and ports that are ours by default.
 */
export function findOurUpstreams(options: {
  /** Every address that is forwarded to. */
  all: readonly string[];
  /** Those that a route leads to which names a path of ours. */
  routed: readonly string[];
  /** Those that the operator named. */
  named: readonly string[];
}): OurUpstreams {
  const certain = new Set([...options.routed, ...options.named].map(normalise));
  for (const address of options.all.map(normalise)) {
    if (/portcullis/.test(address) || OUR_PORTS.includes(portOf(address))) certain.add(address);
  }
  const hosts = new Set([...certain].map(hostOf));
  // Without anything else that can be the gateway, its ports are the gateway's wherever they are.
  const isGatewayKnown = [...certain].some((address) => !OUR_PORTS.includes(portOf(address)));
  for (const address of options.all.map(normalise)) {
    const isGateway = hosts.has(hostOf(address)) || (certain.size > 0 && !isGatewayKnown);
    if (isGateway && GATEWAY_PORTS.includes(portOf(address))) hosts.add(hostOf(address));
  }
  const isOurs = (address: string) => {
    const known = normalise(address);
    const isGateway = GATEWAY_PORTS.includes(portOf(known)) && hosts.has(hostOf(known));
    return certain.has(known) || isGateway;
  };
  const isAnyKnown = certain.size > 0;
  return {
    isAnyKnown,
    isAmong: (addresses) => (addresses.length === 0 ? isAnyKnown : addresses.some(isOurs)),
    isHostOfOurs: (address) => hosts.has(hostOf(normalise(address))),
  };
}

/** Whether one of these addresses is not known to be another service than the gateway. */
export function mayBeGateway(addresses: readonly string[]): boolean {
  return addresses.length === 0 || addresses.some((one) => !OUR_PORTS.includes(portOf(one)));
}

function normalise(address: string): string {
  return address
    .toLowerCase()
    .replace(/^[a-z0-9+]+:\/\//, "")
    .replace(/^localhost(?=:|$)/, "127.0.0.1");
}

function portOf(address: string): string {
  return /:(\d+)$/.exec(address)?.[1] ?? "";
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}
