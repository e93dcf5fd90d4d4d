import {
  type RoutePolicies,
  type RoutePolicy,
  SMALL_MESSAGE,
} from "../runtime/way-in/route-policy.ts";

const CALLERS = ["gateway", "auth", "operator"] as const;

/** A request has up to 16 buckets of seven fields each. */
const ONE_REQUEST: RoutePolicy = {
  callers: CALLERS,
  bodyBytesMax: 64 * 1024,
  elementsMax: 512,
  listEntriesMax: 64,
  charges: ["the policies that it names"],
};

/** A thousand requests, or ids of leases. */
const MANY: RoutePolicy = {
  callers: CALLERS,
  bodyBytesMax: 4 * 1024 * 1024,
  elementsMax: 131_072,
  listEntriesMax: 1_000,
  charges: ["the policies that it names"],
};

const FOR_OPERATORS: RoutePolicy = {
  callers: ["operator"],
  bodyBytesMax: 4_096,
  ...SMALL_MESSAGE,
  charges: [],
};

/** The limiter's one door; no edge forwards to it. */
export const DOOR: RoutePolicies = {
  "POST /portcullis.limiter.v1.LimiterService/Consume": ONE_REQUEST,
  "POST /portcullis.limiter.v1.LimiterService/ConsumeBatch": MANY,
  "POST /portcullis.limiter.v1.LimiterService/Peek": ONE_REQUEST,
  "POST /portcullis.limiter.v1.LimiterService/Refund": ONE_REQUEST,
  "POST /portcullis.limiter.v1.LimiterService/Reset": FOR_OPERATORS,
  "POST /portcullis.limiter.v1.LimiterService/Acquire": ONE_REQUEST,
  "POST /portcullis.limiter.v1.LimiterService/Renew": MANY,
  "POST /portcullis.limiter.v1.LimiterService/Release": MANY,
  "POST /portcullis.limiter.v1.LimiterService/GetInfo": { ...ONE_REQUEST, charges: [] },
  "POST /portcullis.identity.v1.IdentityService/WhoIsCalling": {
    ...FOR_OPERATORS,
    others: "unknown",
  },
};
