import { createHash } from "node:crypto";

/** The last line of a rendered file: the hash of everything above it. */
const SEAL = /^# Portcullis edge: sha256=([0-9a-f]{64})\n$/m;

/** Puts the hash of a rendered file behind its last line. */
export function sealRendered(text: string): string {
  return `${text}# Portcullis edge: sha256=${hashOf(text)}\n`;
}

/** Whether a file is byte for byte as it was rendered. */
export function isAsRendered(text: string): boolean {
  const seal = SEAL.exec(text);
  if (seal === null || seal.index + seal[0].length !== text.length) return false;
  return hashOf(text.slice(0, seal.index)) === seal[1];
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
