import { policiesOf } from "../../../clients/limiter/policies-of.ts";

/** The limiter's policies that the gateway consumes. */
export const CONNECT_BY_IP = "realtime.connect.ip";
export const CONNECTIONS_BY_IP = "realtime.connections.ip";
export const PUBLIC_SUBSCRIBE_BY_IP = "realtime.subscribe.public.ip";
export const PUBLIC_SUBSCRIBE_BY_DATASOURCE = "realtime.subscribe.public.datasource";
/** Charged for other frames with a token: refreshes, and subscribes of accounts. */
export const REFRESH_BY_IP = "realtime.refresh.ip";

export const REALTIME_POLICIES = policiesOf("gateway");
