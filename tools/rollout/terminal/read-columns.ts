/** Narrower than this nothing can be read any more. */
const COLUMNS_MIN = 20;

/**
 * How wide lines may be: what COLUMNS says, else the width of the terminal. Neither means that
 * nobody has a width, for example a log: lines stay whole there.
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
