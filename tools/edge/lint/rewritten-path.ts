/** What a rewritten path begins with; `isWhole` where nothing of the request's follows. */
export type RewrittenPath = { prefix: string; isWhole: boolean };

/** Whether a rewritten path can be this one. */
export function canLeadTo({ prefix, isWhole }: RewrittenPath, path: string): boolean {
  const literal = isWhole ? (prefix.split("?", 1)[0] ?? "") : prefix;
  if (isWhole) return path === literal;
  return path.startsWith(literal) || literal.startsWith(path);
}
