/** Every space that is not the one of ASCII (Unicode's Zs). */
const OTHER_SPACES = /\p{Zs}/gu;

/**
 * The one spelling of a password that is hashed: whatever keyboard it was typed on, it has the same
 * bytes (the OpaqueString of RFC 8265, with the compatible letters of input methods unified too).
 */
export function normalisePassword(text: string): string {
  return text.replaceAll(OTHER_SPACES, " ").normalize("NFKC");
}

/**
 * The spellings under which a password may have been hashed, the normal one first. Others than that
 * were hashed by other programs, as they were typed then. One spelling only for all of ASCII.
 */
export function spellingsOf(text: string): readonly string[] {
  const spellings = [normalisePassword(text), text, text.normalize("NFC"), text.normalize("NFD")];
  return [...new Set(spellings)];
}
