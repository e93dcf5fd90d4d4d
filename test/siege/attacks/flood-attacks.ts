import type { Attack } from "../attack.ts";
import { createHttpCaller, type HttpCaller, problemOf } from "../http-call.ts";
import { type Load, pace, rest, scaled } from "../load.ts";
import { addressOf, FLOODS, type Flood, type FloodRequest } from "./floods.ts";

const SOCKETS_MAX = 48;
/** The number of connections for simultaneous requests. */
const BURST_SOCKETS_MAX = 1_000;
const IN_FLIGHT_MAX = 300;
const ANSWER_TIMEOUT_MS = 5_000;

export const FLOOD_ATTACKS: readonly Attack[] = Object.entries(FLOODS).map(
  ([name, flood]): Attack => ({
    name: `flood-${name}`,
    title: flood.title,
    // A client that shares an address with a flood shares its limits.
    holdsFromSharedAddress: true,
    ...(flood.focus && { focus: flood.focus }),
    ...(flood.bounds && { bounds: flood.bounds }),
    run: async (load) => await runFlood(load, flood),
  }),
);

async function runFlood(load: Load, flood: Flood): Promise<void> {
  const { localAddress, random } = load;
  const http = createHttpCaller({
    localAddress,
    socketsMax: flood.burstEveryMs === undefined ? SOCKETS_MAX : BURST_SOCKETS_MAX,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  const send = async (round: number) => {
    const request = flood.request(random, round);
    const outcome = await answerTo(load, http, request);
    load.count(`${request.door}${shortened(request.path)}: ${outcome}`);
  };
  if (flood.burstEveryMs === undefined) {
    const { perSecond } = flood;
    await pace(load, { perSecond, inFlightMax: IN_FLIGHT_MAX }, send);
  } else {
    const count = scaled(load, (flood.perSecond * flood.burstEveryMs) / 1_000);
    while (!load.signal.aborted) {
      await Promise.all([...Array(count).keys()].map(send));
      await rest(load, flood.burstEveryMs);
    }
  }
  http.close();
}

async function answerTo(load: Load, http: HttpCaller, request: FloodRequest): Promise<string> {
  const { door, path, method = "POST", headers, body } = request;
  try {
    const answer = await http.call(load.doors[door] + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        "x-forwarded-for": addressOf(request, load.random),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return String(answer.status);
  } catch (error) {
    return problemOf(error);
  }
}

/** The last part of a path identifies it, and random paths are equal. */
function shortened(path: string): string {
  const last = path.split("/").at(-1) ?? "";
  return `/${last.startsWith("aa") ? "…" : last}`;
}
