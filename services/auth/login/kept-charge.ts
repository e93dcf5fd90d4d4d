import { randomInt } from "node:crypto";

/**
 * One successful login in so many keeps its charge on the address or device; the others are
 * refunded. So an office can sign in eight times as often as strangers may guess, and the holder of
 * one account still cannot make auth hash passwords without end: an address is held to eight times
 * `login.ip`. The choice is random, since counting would need state for each address.
 */
const KEPT_ONE_IN = 8;

export function keepsCharge(): boolean {
  return randomInt(KEPT_ONE_IN) === 0;
}
