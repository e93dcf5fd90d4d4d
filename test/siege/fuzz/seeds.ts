import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { isServed, TARGETS, type Target } from "../targets.ts";

/** Valid requests by RPC or route, from which mutations start. Only the fuzzer uses these names. */
const BODIES: Readonly<Record<string, readonly JsonValue[]>> = {
  Login: [{ email: "fuzz@siege.test", password: "a password" }],
  Refresh: [{ refreshToken: "x".repeat(43) }],
  Logout: [{ refreshToken: "x".repeat(43) }],
  MintToken: [{ datasource: "fuzz" }],
  MintTokens: [{ datasources: ["fuzz", "demo"] }],
  RevokeToken: [
    { token: "eyJhbGciOiJFZERTQSJ9.e30.AAAA" },
    { jti: "6f1e0c1e-8b1a-4c2e-9d70-1f0a7f3f1c11" },
  ],
  Put: [{ datasource: "fuzz", visibility: "VISIBILITY_PUBLIC", revokeTokens: false }],
  WhoIsCalling: [{}, { probe: "0123456789abcdef0123456789abcdef" }],
  Consume: [
    { buckets: [{ policy: "login.ip", key: "203.0.113.9", cost: 1 }] },
    {
      buckets: [
        { policy: "login.account", key: "fuzz", doubtful: true },
        { policy: "realtime.connections.ip", key: "2001:db8::1", leaseId: "l", leaseTtl: "30s" },
      ],
      idempotencyKey: "fuzz",
    },
  ],
  ConsumeBatch: [
    {
      requests: [
        { buckets: [{ policy: "login.ip", key: "203.0.113.9" }] },
        { buckets: [{ policy: "login.account", key: "fuzz" }] },
      ],
    },
  ],
  Peek: [{ buckets: [{ policy: "login.ip", key: "203.0.113.9" }] }],
  Refund: [{ receipt: "AAAA", policies: ["login.ip"] }],
  Reset: [{ policy: "login.account", key: "fuzz", doubtful: false }],
  Acquire: [{ policy: "realtime.connections.ip", key: "203.0.113.9", leaseId: "l", ttl: "30s" }],
  Renew: [{ leaseIds: ["l", "m"], ttl: "30s" }],
  Release: [{ leaseIds: ["l"] }],
  Publish: [{ datasource: "fuzz", json: { a: [1, null, true, "text", { b: {} }] } }],
  "datasource-introspect": [{ sessionToken: "eyJ.e30.AAAA" }, { datasource: "fuzz" }],
  "revoked-tokens": [{ sinceCursor: null, limit: 100 }],
  consume: [{ policy: "realtime.connect.ip", key: "203.0.113.9", cost: 1 }],
};

/** A valid request. */
export type Seed = { target: Target; contentType: string; body: Buffer };

/** Returns valid requests to a door, in JSON and in protobuf. */
export function seedsOf(door: Target["door"]): Seed[] {
  return TARGETS.filter((target) => target.door === door && isServed(target)).flatMap((target) => {
    const bodies = BODIES[target.path.split("/").at(-1) ?? ""] ?? [{}];
    return bodies.flatMap((body): Seed[] => {
      const json = Buffer.from(JSON.stringify(body));
      const { input } = target;
      const seeds = [{ target, contentType: "application/json", body: json }];
      if (input === undefined) return seeds;
      const proto = Buffer.from(toBinary(input, fromJson(input, body)));
      return [...seeds, { target, contentType: "application/proto", body: proto }];
    });
  });
}
