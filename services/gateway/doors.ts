import {
  type RoutePolicies,
  type RoutePolicy,
  SMALL_MESSAGE,
} from "../runtime/way-in/route-policy.ts";

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

/** The door of publishers and operators; no edge forwards to it. */
export const RPC_DOOR: RoutePolicies = {
  "POST /portcullis.realtime.v1.PublishService/Publish": {
    callers: ["publisher", "operator"],
    bodyBytesMax: UPDATE_BODY_BYTES_MAX,
    elementsMax: UPDATE_ELEMENTS_MAX,
    listEntriesMax: UPDATE_ELEMENTS_MAX,
    charges: [],
  },
  "POST /portcullis.realtime.v1.DependencyService/Check": FOR_OPERATORS,
  "POST /portcullis.identity.v1.IdentityService/WhoIsCalling": {
    ...FOR_OPERATORS,
    others: "unknown",
  },
};
