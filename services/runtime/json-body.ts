import type { IncomingMessage } from "node:http";

/** Why a body could not be read. */
export type BodyProblem = { kind: "too-large" } | { kind: "not-json" };

/** Reads a bounded JSON object; an empty body is the empty object. */
export async function readJsonObject(
  request: IncomingMessage,
  bytesMax: number,
): Promise<{ kind: "read"; body: Readonly<Record<string, unknown>> } | BodyProblem> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return { kind: "too-large" };
    chunks.push(chunk);
  }
  if (bytes === 0) return { kind: "read", body: {} };
  const value = parse(Buffer.concat(chunks).toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { kind: "not-json" };
  }
  return { kind: "read", body: value as Record<string, unknown> };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
