/** Why a file cannot be run in front of recorders; the text completes "cannot be proved: …". */
export class CannotProveError extends Error {
  override name = "CannotProveError";
}
