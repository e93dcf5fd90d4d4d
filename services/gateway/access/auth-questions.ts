import { create, fromJson, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  ConsumeForwardedRequestSchema,
  IntrospectRequestSchema,
  RevocationPageRequestSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";

export type Introspect = MessageInitShape<typeof IntrospectRequestSchema>;

/** The body that asks `datasource-introspect` about a token, a datasource or several. */
export function writeIntrospect(question: Introspect): string {
  return toJsonString(IntrospectRequestSchema, create(IntrospectRequestSchema, question));
}

/** The body that asks `revoked-tokens` for a page; a null cursor starts at the oldest event. */
export function writePageRequest(sinceCursor: string | null, limit: number): string {
  const request = { sinceCursor: fromJson(ValueSchema, sinceCursor), limit };
  return toJsonString(RevocationPageRequestSchema, create(RevocationPageRequestSchema, request));
}

/** The body that asks `rate-limit/consume` to consume a bucket. */
export function writeConsume(
  request: MessageInitShape<typeof ConsumeForwardedRequestSchema>,
): string {
  const message = create(ConsumeForwardedRequestSchema, request);
  return toJsonString(ConsumeForwardedRequestSchema, message);
}
