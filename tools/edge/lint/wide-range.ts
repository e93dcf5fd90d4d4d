/** The widest ranges of one owner are a /8 of IPv4 and a /16 of IPv6; wider ones are everybody. */
const PREFIX_MIN = { ipv4: 8, ipv6: 16 };

/** Whether a range of addresses is so wide that strangers are in it. */
export function holdsStrangers(range: string): boolean {
  const match = /^\[?([0-9A-Fa-f.:]+)\]?\/(\d+)$/.exec(range);
  if (match === null) return false;
  return Number(match[2]) < (match[1]?.includes(":") ? PREFIX_MIN.ipv6 : PREFIX_MIN.ipv4);
}
