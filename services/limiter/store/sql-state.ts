/** The SQLSTATE of an error of the database; empty when it has none. */
export function sqlStateOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

/** lock_not_available, and query_canceled, which also tells that a statement took too long. */
const WAITED_TOO_LONG = new Set(["55P03", "57014"]);

/** Whether a statement gave up waiting, most likely for a row that somebody holds. */
export function hasWaitedTooLong(error: unknown): boolean {
  return WAITED_TOO_LONG.has(sqlStateOf(error));
}
