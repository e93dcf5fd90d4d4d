/** A string, a long string, a comment of either kind, or any other character of Lua. */
const PIECE =
  /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|[\s\S]/y;

/**
 * Answers where the block of Lua ends that begins behind a brace: at the brace that closes it. Its
 * quotes and comments are not nginx' own, and an apostrophe in one opens nothing.
 */
export function findLuaEnd(text: string, start: number): number {
  let depth = 1;
  let at = start;
  while (at < text.length) {
    PIECE.lastIndex = at;
    const piece = PIECE.exec(text)?.[0] ?? "";
    if (piece === "{") depth += 1;
    if (piece === "}") depth -= 1;
    if (depth === 0) return at;
    at += piece.length;
  }
  return at;
}
