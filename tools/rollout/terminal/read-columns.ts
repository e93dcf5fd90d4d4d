/** Narrower lines are unreadable. */
const COLUMNS_MIN = 20;

/**
 * The line width: COLUMNS, otherwise the width of the terminal. Undefined without either, for
 * example in a log, where lines stay whole.
 */
export function readColumns(
  text: string | undefined,
  stream: { isTTY?: boolean; columns?: number },
): number | undefined {
  const said = Number(text);
  if (Number.isInteger(said) && said > 0) return Math.max(COLUMNS_MIN, said);
  const { isTTY, columns } = stream;
  if (isTTY !== true || columns === undefined || columns <= 0) return undefined;
  return Math.max(COLUMNS_MIN, columns);
}
