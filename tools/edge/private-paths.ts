import { AuthService, DatasourceService } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { IdentityService } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { DependencyService } from "../../gen/portcullis/realtime/v1/dependency_pb.ts";
import { PublishService } from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { PUBLIC_RPC_PATHS } from "./public-rpcs.ts";

/** What auth serves to the gateway alone. */
export const GATEWAY_ENDPOINTS = [
  "/internal/gateway/datasource-introspect",
  "/internal/gateway/revoked-tokens",
  "/internal/gateway/rate-limit/consume",
] as const;

/** Services that no browser talks to: operators do, Envoy, and services among themselves. */
const PRIVATE_SERVICES = [
  LimiterService,
  PublishService,
  DependencyService,
  IdentityService,
] as const;

/** What operators call of services that browsers call, too; it answers on AUTH_ADMIN_PORT alone. */
export const OPERATOR_PATHS: readonly string[] = [AuthService, DatasourceService]
  .flatMap(pathsOf)
  .filter((path) => !PUBLIC_RPC_PATHS.includes(path));

/** Every path that a service answers and no edge may forward. */
export const PRIVATE_PATHS: readonly string[] = [
  ...GATEWAY_ENDPOINTS,
  ...PRIVATE_SERVICES.flatMap(pathsOf),
  ...OPERATOR_PATHS,
  "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
  "/metrics",
  "/healthz",
  "/readyz",
];

/** Neighbours of public names: nothing answers there today, and a loose pattern lets them in. */
export const NEIGHBOURING_PATHS: readonly string[] = [
  "/portcullis.auth.v1.AccountService/Create",
  "/portcullis.auth.v1.GatewayService/IntrospectDatasource",
  "/portcullis.auth.v1.AuthServiceAdmin/Create",
  "/portcullis.limiter.v1.PolicyService/List",
];

function pathsOf(service: {
  typeName: string;
  methods: readonly { name: string }[];
}): readonly string[] {
  return service.methods.map(({ name }) => `/${service.typeName}/${name}`);
}
