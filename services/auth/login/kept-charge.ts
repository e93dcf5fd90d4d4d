import { randomInt } from "node:crypto";

/**
 * One right login in so many keeps its charge on the address, or on the device. An office signs in
 * eight times as often as strangers may guess, while whoever has one account cannot have passwords
 * hashed without end: all day long, an address is held to eight times `login.ip`. By chance, since
 * counting would take state for each address.
 */
const KEPT_ONE_IN = 8;

export function keepsCharge(): boolean {
  return randomInt(KEPT_ONE_IN) === 0;
}
