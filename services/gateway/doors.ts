import {
  PLAIN_GET,
  type RoutePolicies,
  type RoutePolicy,
  SMALL_MESSAGE,
} from "../runtime/way-in/route-policy.ts";
import { CONNECT_BY_IP, CONNECTIONS_BY_IP } from "./access/policies.ts";

/** Where browsers connect. */
export const REALTIME_PATH = "/gateway/realtime";
/** Where a page asks why its upgrade was refused. */
export const WHY_PATH = `${REALTIME_PATH}/why`;
export const HEALTH_PATH = "/healthz";

/** An update of 64 KiB with every character escaped, and its envelope. */
const UPDATE_BODY_BYTES_MAX = 512 * 1024;
/** An update of 64 KiB has no more values than that. */
const UPDATE_ELEMENTS_MAX = 65_536;

const FOR_OPERATORS: RoutePolicy = {
  callers: ["operator"],
  bodyBytesMax: 4_096,
  ...SMALL_MESSAGE,
  charges: [],
};

/**
 * The public door. The websocket library serves it (`door.ts`), with bounds of its own on heads,
 * bodies and time. This names its routes and the policies that they charge.
 */
export const PUBLIC_DOOR: RoutePolicies = {
  [`GET ${REALTIME_PATH}`]: { ...PLAIN_GET, charges: [CONNECT_BY_IP, CONNECTIONS_BY_IP] },
  [`GET ${WHY_PATH}`]: PLAIN_GET,
  [`GET ${HEALTH_PATH}`]: PLAIN_GET,
};

/** The door of publishers and operators; no edge forwards to it. */
export const RPC_DOOR: RoutePolicies = {
  "POST /portcullis.realtime.v1.PublishService/Publish": {
    callers: ["publisher", "operator"],
    bodyBytesMax: UPDATE_BODY_BYTES_MAX,
    elementsMax: UPDATE_ELEMENTS_MAX,
    listEntriesMax: UPDATE_ELEMENTS_MAX,
    verbatim: { name: "json", into: "jsonText" },
    charges: [],
  },
  "POST /portcullis.realtime.v1.DependencyService/Check": FOR_OPERATORS,
  "POST /portcullis.identity.v1.IdentityService/WhoIsCalling": {
    ...FOR_OPERATORS,
    others: "unknown",
  },
};
