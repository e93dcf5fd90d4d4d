import { Code } from "@connectrpc/connect";

/** A Connect code as the protocol writes it, for example `resource_exhausted`. */
export function codeText(code: Code): string {
  return Code[code].replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
