import { type DescMessage, fromJsonString, type MessageShape } from "@bufbuild/protobuf";
import {
  IntrospectionListSchema,
  type Introspection as IntrospectionMessage,
  IntrospectionSchema,
  RevocationPageSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";

/** What auth knows about a token or a datasource at this moment. */
export type Introspection =
  | { kind: "inactive" }
  | {
      kind: "active";
      datasource: string;
      subject: string;
      scope: string;
      /** The access version of the datasource. */
      accessVersion: number;
    };

/** A page of auth's revocation feed. */
export type RevocationPage = {
  kind: "page";
  events: readonly { kind: string; value: string }[];
  nextCursor: string;
  /** Revocations after the cursor that was sent may be missing from the feed. */
  cursorExpired: boolean;
};

/** Reads a message from JSON, whatever a newer auth may add; undefined when it is malformed. */
export function readAnswer<Desc extends DescMessage>(
  schema: Desc,
  text: string,
): MessageShape<Desc> | undefined {
  try {
    return fromJsonString(schema, text, { ignoreUnknownFields: true });
  } catch {
    return undefined;
  }
}

/** Reads the answer of `datasource-introspect`; undefined when it is malformed. */
export function readIntrospection(text: string): Introspection | undefined {
  return introspectionOf(readAnswer(IntrospectionSchema, text));
}

/** Reads the answer about so many datasources; undefined when it is malformed. */
export function readIntrospections(
  text: string,
  count: number,
): readonly Introspection[] | undefined {
  const results = readAnswer(IntrospectionListSchema, text)?.results ?? [];
  const read = results.map(introspectionOf).filter((result) => result !== undefined);
  return results.length === count && read.length === count ? read : undefined;
}

/** Reads the answer of `revoked-tokens`; undefined when it is malformed. */
export function readRevocationPage(text: string): RevocationPage | undefined {
  const {
    events = [],
    nextCursor,
    cursorExpired = false,
  } = readAnswer(RevocationPageSchema, text) ?? {};
  if (nextCursor === undefined) return undefined;
  const known = events.flatMap(({ kind, value }) =>
    kind === undefined || value === undefined ? [] : [{ kind, value }],
  );
  if (known.length < events.length) return undefined;
  return { kind: "page", events: known, nextCursor, cursorExpired };
}

function introspectionOf(message: IntrospectionMessage | undefined): Introspection | undefined {
  if (message?.active === false) return { kind: "inactive" };
  const { active, datasource, subject, scope, intent } = message ?? {};
  const accessVersion = Number(intent?.accessVersion);
  if (active === undefined || datasource === undefined || subject === undefined) return undefined;
  if (scope === undefined || !Number.isSafeInteger(accessVersion)) return undefined;
  return { kind: "active", datasource, subject, scope, accessVersion };
}
