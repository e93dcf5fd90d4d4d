import {
  create,
  type DescMessage,
  type JsonValue,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import { GatewayRouteErrorSchema } from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import { retryAfterHeader } from "../refusal.ts";

/** The answer of an internal route. */
export type JsonAnswer = {
  status: number;
  body: JsonValue;
  headers?: Readonly<Record<string, string>>;
};

type RouteError = MessageInitShape<typeof GatewayRouteErrorSchema>;

/** An answer that holds a message, with every field that has no presence of its own. */
export function answerWith<Desc extends DescMessage>(
  schema: Desc,
  message: MessageInitShape<Desc>,
  status = 200,
): JsonAnswer {
  return { status, body: toJson(schema, create(schema, message), { alwaysEmitImplicit: true }) };
}

/** 400 that names the field. */
export function badField(field: string, problem: string): JsonAnswer {
  return failWith(400, { error: "invalid_argument", field, message: `${field}: ${problem}` });
}

/** 403. */
export function forbidden(message: string): JsonAnswer {
  return failWith(403, { error: "permission_denied", message });
}

/** 404 that names the field. */
export function notFound(field: string, problem: string): JsonAnswer {
  return failWith(404, { error: "not_found", field, message: `${field}: ${problem}` });
}

/** 429: over a limit. */
export function limited(retryAfterMs: number): JsonAnswer {
  const error = { error: "resource_exhausted", message: "too many requests", retryAfterMs };
  return { ...failWith(429, error), headers: retryAfterHeader(retryAfterMs) };
}

/** 503: nobody could decide or answer. */
export function unavailable(message: string, retryAfterMs: number): JsonAnswer {
  const error = { error: "unavailable", message, retryAfterMs };
  return { ...failWith(503, error), headers: retryAfterHeader(retryAfterMs) };
}

/** 500: a bug, of which a caller learns nothing. */
export const internalError: JsonAnswer = failWith(500, { error: "internal" });

function failWith(status: number, error: RouteError): JsonAnswer {
  return answerWith(GatewayRouteErrorSchema, error, status);
}
