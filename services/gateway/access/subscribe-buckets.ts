import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import { PUBLIC_SUBSCRIBE_BY_DATASOURCE, PUBLIC_SUBSCRIBE_BY_IP } from "./policies.ts";

/** The bucket of an address's public subscribes. */
export function byIp(client: ClientIp): BucketRequest {
  const doubtful = client.warning !== undefined;
  return { policy: PUBLIC_SUBSCRIBE_BY_IP, key: client.ip, doubtful };
}

/** The bucket of all public subscribes to one datasource. */
export function byDatasource(datasource: string, accessVersion: number): BucketRequest {
  return { policy: PUBLIC_SUBSCRIBE_BY_DATASOURCE, key: `${datasource}:${accessVersion}` };
}
