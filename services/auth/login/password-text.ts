/** Every space that is not the one of ASCII (Unicode's Zs). */
const OTHER_SPACES = /\p{Zs}/gu;

/**
 * The spelling that is hashed, so that a password has the same bytes on every keyboard:
 * OpaqueString of RFC 8265, with compatible characters unified too.
 */
export function normalisePassword(text: string): string {
  return text.replaceAll(OTHER_SPACES, " ").normalize("NFKC");
}

/**
 * The spellings under which a password may have been hashed, the normal one first: other programs
 * hash a password as it was typed. ASCII passwords have one spelling.
 */
export function spellingsOf(text: string): readonly string[] {
  const spellings = [normalisePassword(text), text, text.normalize("NFC"), text.normalize("NFD")];
  return [...new Set(spellings)];
}
