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
  nextCursor: string | null;
  /** Revocations after the cursor that was sent may be missing from the feed. */
  cursorExpired: boolean;
};

/** Reads the answer of `datasource-introspect`; undefined when it is malformed. */
export function readIntrospection(answer: unknown): Introspection | undefined {
  const { active, datasource, subject, scope, intent } = recordOf(answer);
  if (active === false) return { kind: "inactive" };
  const version = recordOf(intent)["accessVersion"];
  if (active !== true || typeof datasource !== "string" || typeof subject !== "string") {
    return undefined;
  }
  // A 64-bit integer of proto3 JSON is a text.
  if (typeof scope !== "string" || typeof version !== "string" || !/^\d{1,15}$/.test(version)) {
    return undefined;
  }
  return { kind: "active", datasource, subject, scope, accessVersion: Number(version) };
}

/** Reads the answer about so many datasources; undefined when it is malformed. */
export function readIntrospections(
  answer: unknown,
  count: number,
): readonly Introspection[] | undefined {
  const { results } = recordOf(answer);
  if (!Array.isArray(results) || results.length !== count) return undefined;
  const read = results.map(readIntrospection).filter((result) => result !== undefined);
  return read.length === count ? read : undefined;
}

/** Reads the answer of `revoked-tokens`; undefined when it is malformed. */
export function readRevocationPage(answer: unknown): RevocationPage | undefined {
  const { events, nextCursor, cursorExpired } = recordOf(answer);
  if (!Array.isArray(events)) return undefined;
  const read = events.map((event) => {
    const { kind, value } = recordOf(event);
    return typeof kind === "string" && typeof value === "string" ? { kind, value } : undefined;
  });
  const known = read.filter((event) => event !== undefined);
  if (known.length < read.length) return undefined;
  const cursor = typeof nextCursor === "string" ? nextCursor : null;
  return { kind: "page", events: known, nextCursor: cursor, cursorExpired: cursorExpired === true };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === "object" && value !== null;
  return isRecord ? Object.fromEntries(Object.entries(value)) : {};
}
