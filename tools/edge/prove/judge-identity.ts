import { derive } from "../../../services/runtime/client-ip.ts";
import { REALTIME_PATH } from "../edge-policy.ts";
import { CLAIMS_CLEARED } from "../lint/lint-policy.ts";
import type { Fault } from "./finding.ts";
import { type RecordedRequest, valuesOf } from "./recorder.ts";
import { isClaimed, type ProveRoute } from "./requests.ts";

const FORWARDED = "X-Forwarded-For";
/** From where an edge reaches the recorders. */
const EDGE = "127.0.0.1";
const OVERWRITE = `make the edge overwrite ${FORWARDED} with the connection's address on this very route`;

/** What an upstream must see of a client that nobody trusts: its address alone, whatever it says. */
export function judgeIdentity(recorded: RecordedRequest, peer: string, isHonest: boolean): Fault[] {
  // In another protocol than HTTP there are no headers to judge.
  if (recorded.requestLine === "") return [];
  return [
    ...judgeForwarded(recorded, peer, isHonest),
    ...judgeRealIp(recorded, peer),
    ...judgeScheme(recorded),
    ...judgeClaims(recorded),
    ...judgeNames(recorded),
    ...(recorded.isBehindProxyHeader === true ? [PROXY_HEADER] : []),
  ];
}

const PROXY_HEADER: Fault = {
  rule: "proxy-protocol",
  saw: "the PROXY protocol in front of the request",
  message: "no service of Portcullis reads the PROXY protocol, so each request fails",
  mend: "forward HTTP without it",
};

function judgeForwarded(recorded: RecordedRequest, peer: string, isHonest: boolean): Fault[] {
  const lines = valuesOf(recorded, FORWARDED);
  const { ip, class: kind, entries } = derive(EDGE, lines, 1);
  const saw = describe(FORWARDED, lines);
  if (lines.length === 0) {
    const message = `no ${FORWARDED} arrives, so every client is the proxy`;
    return [{ rule: "missing-forwarded-for", saw, message, mend: OVERWRITE }];
  }
  if (kind === "forwarded" && ip === peer && entries === 1 && lines.length === 1) return [];
  const all = lines.flatMap((line) => line.split(",")).map((entry) => entry.trim());
  if (all.length > 1 && all.every((entry) => entry === peer)) {
    const message = "the address is sent twice, so services that count hops count wrongly";
    return [{ rule: "repeated-forwarded-for", saw, message, mend: "set the header in one place" }];
  }
  if (isHonest) {
    const message = `the client is ${peer}, and this names somebody else`;
    return [{ rule: "missing-forwarded-for", saw, message, mend: OVERWRITE }];
  }
  const isAppended = all.at(-1) === peer && all.length > 1;
  if (isAppended && lines.length > 1) {
    const message = "the address is added on a line behind the client's own";
    return [{ rule: "forwardfor-adds-line", saw, message, mend: OVERWRITE }];
  }
  if (isAppended) {
    const message = "the address is added behind what the client claims";
    return [{ rule: "appended-forwarded-for", saw, message, mend: OVERWRITE }];
  }
  const message = `the client is ${peer}, and what it sent decides who it is taken for`;
  return [{ rule: "passed-through-forwarded-for", saw, message, mend: OVERWRITE }];
}

function judgeRealIp(recorded: RecordedRequest, peer: string): Fault[] {
  const values = valuesOf(recorded, "X-Real-IP");
  if (values.every((value) => value === peer)) return [];
  const saw = describe("X-Real-IP", values);
  const message = `the client is ${peer}`;
  const mend = "set X-Real-IP where X-Forwarded-For is set";
  return [{ rule: "identity-header-missing", saw, message, mend }];
}

function judgeScheme(recorded: RecordedRequest): Fault[] {
  const values = valuesOf(recorded, "X-Forwarded-Proto");
  if (!values.includes("wss")) return [];
  const saw = describe("X-Forwarded-Proto", values);
  const mend = "set X-Forwarded-Proto to the scheme of the connection";
  return [
    { rule: "identity-header-missing", saw, message: "the client chose its own scheme", mend },
  ];
}

function judgeClaims(recorded: RecordedRequest): Fault[] {
  const kept = CLAIMS_CLEARED.filter((name) => valuesOf(recorded, name).some(isClaimed));
  const [first] = kept;
  if (first === undefined) return [];
  const saw = describe(first, valuesOf(recorded, first));
  const message = "a header in which CDNs name clients comes from the client itself";
  return [{ rule: "claim-header-kept", saw, message, mend: `delete ${kept.join(", ")}` }];
}

function judgeNames(recorded: RecordedRequest): Fault[] {
  const odd = recorded.lines.find(({ name }) => /^x_(forwarded_for|real_ip)$/i.test(name));
  const nominated = valuesOf(recorded, "Connection").find((value) =>
    /x-forwarded-for/i.test(value),
  );
  return [
    ...(odd === undefined
      ? []
      : [
          {
            rule: "odd-headers-passed" as const,
            saw: `${odd.name}: ${odd.value}`,
            message: "a name with underscores passes for one with hyphens in some servers",
            mend: "drop header names that hold an underscore",
          },
        ]),
    ...(nominated === undefined
      ? []
      : [
          {
            rule: "nominated-headers" as const,
            saw: `Connection: ${nominated}`,
            message: "a proxy further on would take away what the client nominates here",
            mend: "write Connection anew: empty, or upgrade for websockets",
          },
        ]),
  ];
}

/** Whether upgrades are forwarded where there is a websocket, and nowhere else. */
export function judgeUpgrade(recorded: RecordedRequest, route: ProveRoute): Fault[] {
  if (!route.isUpgrade) return [];
  const upgrade = valuesOf(recorded, "Upgrade");
  const connection = valuesOf(recorded, "Connection");
  const version = recorded.requestLine.split(" ").at(-1) ?? "";
  const isForwarded =
    version === "HTTP/1.1" &&
    upgrade.join().toLowerCase() === "websocket" &&
    /upgrade/i.test(connection.join());
  const saw = `${version}, ${describe("Upgrade", upgrade)}, ${describe("Connection", connection)}`;
  if (route.path === REALTIME_PATH) {
    if (isForwarded) return [];
    const message = "without these no websocket opens";
    const mend = "forward Upgrade, and Connection: upgrade, over HTTP/1.1 on this route";
    return [{ rule: "upgrade-missing", saw, message, mend }];
  }
  if (!isForwarded) return [];
  const message = `only ${REALTIME_PATH} has a websocket; elsewhere an upgrade is a tunnel past everything this proxy checks`;
  return [{ rule: "upgrade-everywhere", saw, message, mend: "take Upgrade away on other routes" }];
}

export function describe(name: string, values: readonly string[]): string {
  if (values.length === 0) return `no ${name}`;
  return values.map((value) => `${name}: ${value}`).join(" | ");
}
