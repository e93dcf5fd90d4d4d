import type { Random } from "../random.ts";
import { mutate } from "./mutate.ts";
import type { Seed } from "./seeds.ts";

/** One malformed input, and how it is malformed. */
export type Input = { kind: string; bytes: Buffer };

/** All inputs come from one address and soon exhaust its limits: floods are separate attacks. */
const ADDRESS = "203.0.113.200";
const RAW_BYTES_MAX = 2_000;
const CONTENT_TYPES = [
  "application/json",
  "application/proto",
  "application/grpc-web+proto",
  "application/connect+json",
  "text/plain",
  "application/json; charset=utf-16",
  "",
] as const;

/**
 * Draws an input for a door: raw bytes, a mutated head, a mutated body, or a contradiction of both.
 */
export function drawInput(seeds: readonly [Seed, ...Seed[]], random: Random): Input {
  const seed = random.pick(seeds);
  const kind = random.below(100);
  if (kind < 15) return { kind: "raw bytes", bytes: random.bytes(1 + random.below(RAW_BYTES_MAX)) };
  if (kind < 45) {
    return { kind: "mutated head", bytes: Buffer.concat([mutate(head(seed), random), seed.body]) };
  }
  if (kind < 85) {
    const body = mutate(seed.body, random);
    return { kind: "mutated body", bytes: request({ ...seed, body }) };
  }
  if (kind < 92) {
    const contentType = random.pick(CONTENT_TYPES);
    return { kind: "another type", bytes: request({ ...seed, contentType }) };
  }
  return { kind: "mutated whole", bytes: mutate(request(seed), random) };
}

function request(seed: Seed): Buffer {
  return Buffer.concat([head(seed), seed.body]);
}

function head({ target, contentType, body }: Seed): Buffer {
  const lines = [
    `POST ${target.path} HTTP/1.1`,
    "host: portcullis",
    `authorization: Bearer ${target.token}`,
    `x-forwarded-for: ${ADDRESS}`,
    `content-type: ${contentType}`,
    "connection: close",
    `content-length: ${body.length}`,
    "",
    "",
  ];
  return Buffer.from(lines.join("\r\n"));
}
