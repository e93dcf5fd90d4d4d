const REALTIME = "realtime.";

/** The gateway has the realtime policies, auth all others, the operator every one. */
export function mayConsume(caller: string, policy: string): boolean {
  switch (caller) {
    case "operator":
      return true;
    case "gateway":
      return policy.startsWith(REALTIME);
    case "auth":
      return !policy.startsWith(REALTIME);
    default:
      return false;
  }
}
