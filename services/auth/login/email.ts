/** The longest address that mail can be sent to (RFC 5321). */
const EMAIL_BYTES_MAX = 254;

/**
 * The one spelling of an e-mail address under which an account and its limits are stored; undefined
 * for a text that cannot be an address. Does not say whether an account has it.
 */
export function normaliseEmail(text: string): string | undefined {
  const email = text.trim().normalize("NFC").toLowerCase();
  if (email === "" || Buffer.byteLength(email) > EMAIL_BYTES_MAX) return undefined;
  // White space and control characters would blur limiter keys, which join parts with a space.
  if (/[\s\p{C}]/u.test(email)) return undefined;
  return email;
}
