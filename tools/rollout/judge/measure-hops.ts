import { HOPS_MAX } from "../../../services/runtime/client-ip.ts";

/** One request through the edge, as the service behind it saw it. */
export type HopSample = {
  /** The forged entries that the sender put into X-Forwarded-For. */
  spoofed: readonly string[];
  /** The number of entries that the service saw. */
  entries: number;
  /** The address that each number of hops would derive, from 0 on; empty if doubtful. */
  byHops: readonly string[];
};

export type EdgeHabit = "overwrites" | "appends";

/** The one right number of hops, or why there is none. */
export type HopMeasurement =
  | {
      kind: "unique";
      hops: number;
      habit: EdgeHabit;
      address: string;
      /** The addresses of the last proxy: the peers that may be trusted. */
      peers: readonly string[];
    }
  | { kind: "ambiguous"; reason: string; mend: string };

const RENDER = "deploy an edge that writes the header: npm run -s edge -- render";

/**
 * Finds how many entries at the right end of X-Forwarded-For the proxies write, whatever the client
 * sends. The leftmost of these comes from the outermost proxy and names the client.
 */
export function measureHops(samples: readonly HopSample[], clientAddress?: string): HopMeasurement {
  const honest = samples.filter(({ spoofed }) => spoofed.length === 0);
  const lying = samples.filter(({ spoofed }) => spoofed.length > 0);
  const written = honest[0]?.entries;
  if (written === undefined || lying.length === 0) {
    return ambiguous("too few requests came through", "see why the edge refuses the probes");
  }
  if (honest.some(({ entries }) => entries !== written)) {
    const seen = [...new Set(honest.map(({ entries }) => entries))].join(" or ");
    return ambiguous(
      `equal requests arrive with ${seen} entries: they take different ways`,
      "make every way to the service pass the same proxies",
    );
  }
  const habit = habitOf(lying, written);
  if (habit === undefined) {
    return ambiguous(
      "the number of entries neither stays the same nor grows by what the client sends",
      "make the edge overwrite the header on every route",
    );
  }
  if (written === 0) {
    const what =
      habit === "overwrites" ? "nobody writes the header" : "the client's own header gets through";
    return ambiguous(`${what}: no number of hops is right`, RENDER);
  }
  if (written > HOPS_MAX) {
    return ambiguous(`${written} entries are more than hops can be`, RENDER);
  }
  return findClient(samples, { written, habit, clientAddress });
}

function habitOf(lying: readonly HopSample[], written: number): EdgeHabit | undefined {
  if (lying.every(({ entries }) => entries === written)) return "overwrites";
  const appends = lying.every(({ entries, spoofed }) => entries === written + spoofed.length);
  return appends ? "appends" : undefined;
}

function findClient(
  samples: readonly HopSample[],
  known: { written: number; habit: EdgeHabit; clientAddress: string | undefined },
): HopMeasurement {
  const { written, habit, clientAddress } = known;
  const positions = Array.from({ length: written }, (_, index) => index + 1);
  for (const { spoofed, byHops } of samples) {
    const invalid = positions.find((position) => (byHops[position] ?? "") === "");
    if (invalid !== undefined) {
      return ambiguous(`entry ${invalid} from the right is no address`, RENDER);
    }
    if (positions.some((position) => spoofed.includes(byHops[position] ?? ""))) {
      return ambiguous("an entry that the client wrote stands among the proxies' own", RENDER);
    }
  }
  const addresses = new Set(samples.map(({ byHops }) => byHops[written] ?? ""));
  const [address = ""] = addresses;
  if (addresses.size > 1) {
    return ambiguous(
      `the same client is called ${[...addresses].join(" and ")}`,
      "measure from a machine with one address, or make every way pass the same proxies",
    );
  }
  if (clientAddress !== undefined && clientAddress !== address) {
    return ambiguous(
      `the outermost proxy names ${address}, but the client is ${clientAddress}`,
      "a proxy in front is not resolved: render the edge for a CDN, with its addresses",
    );
  }
  if (habit === "overwrites" && written > 1 && clientAddress === undefined) {
    return ambiguous(
      `the edge writes ${written} entries by itself, and any of them may be the client`,
      "say from which address you measure: --client ADDRESS",
    );
  }
  // With 0 hops the derived address is the socket's.
  const peers = [...new Set(samples.map(({ byHops }) => byHops[0] ?? ""))].filter(Boolean);
  return { kind: "unique", hops: written, habit, address, peers };
}

function ambiguous(reason: string, mend: string): HopMeasurement {
  return { kind: "ambiguous", reason, mend };
}
