import type { DescMessage, DescService } from "@bufbuild/protobuf";
import * as auth from "../../gen/portcullis/auth/v1/auth_pb.ts";
import * as identity from "../../gen/portcullis/identity/v1/identity_pb.ts";
import * as limiter from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import * as dependency from "../../gen/portcullis/realtime/v1/dependency_pb.ts";
import * as realtime from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { TOKENS } from "../fixtures/services.ts";
import { DOOR_NAMES, type DoorName } from "./doors.ts";

/** One RPC or route that can be called. */
export type Target = {
  door: DoorName;
  path: string;
  /** The request message; undefined for plain JSON. */
  input?: DescMessage;
  /** A token that the route accepts. */
  token: string;
};

const INTERNAL_PATHS = ["datasource-introspect", "revoked-tokens", "rate-limit/consume"];

/** Every RPC of the contracts; a new RPC is attacked automatically. */
const SERVICES: readonly DescService[] = [auth, identity, limiter, dependency, realtime].flatMap(
  (file) => Object.values(file).filter(isService),
);

/** Every RPC on every door, served there or not, and the plain routes. */
export const TARGETS: readonly Target[] = [
  ...DOOR_NAMES.flatMap((door) =>
    SERVICES.flatMap((service) =>
      service.methods.map((method) => ({
        door,
        path: `/${service.typeName}/${method.name}`,
        input: method.input,
        token: tokenFor(service.typeName),
      })),
    ),
  ),
  ...INTERNAL_PATHS.map((path) => ({
    door: "auth" as const,
    path: `/internal/gateway/${path}`,
    token: TOKENS.gateway,
  })),
];

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

function tokenFor(typeName: string): string {
  return typeName.endsWith("PublishService") ? TOKENS.publisher : TOKENS.operator;
}

/** The RPCs on the doors that serve them. */
export function isServed({ door, path }: Target): boolean {
  const home = HOMES.find(([prefix]) => path.startsWith(prefix))?.[1] ?? DOOR_NAMES;
  return home.includes(door);
}

const HOMES: readonly (readonly [string, readonly DoorName[]])[] = [
  ["/portcullis.auth.v1.DatasourceService/Put", ["authAdmin"]],
  ["/portcullis.auth.", ["auth"]],
  ["/portcullis.limiter.", ["limiter"]],
  ["/portcullis.realtime.", ["gatewayRpc"]],
  ["/portcullis.identity.", ["auth", "limiter", "gatewayRpc"]],
];
