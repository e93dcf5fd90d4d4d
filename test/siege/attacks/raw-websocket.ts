import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { dial, firstOutcome, type Outcome } from "../exchange.ts";

const UPGRADE_TIMEOUT_MS = 5_000;

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Requests an upgrade; the caller owns the socket even after a refusal. */
export async function upgrade(options: {
  gateway: string;
  localAddress: string;
  forwardedFor: string;
  /** Header lines that replace those of a valid handshake. */
  lines?: readonly string[];
}): Promise<{ outcome: Outcome; socket: Socket }> {
  const socket = dial(options.gateway, options.localAddress);
  const lines = [
    "GET /gateway/realtime HTTP/1.1",
    "host: portcullis",
    `x-forwarded-for: ${options.forwardedFor}`,
    ...(options.lines ?? handshakeLines()),
    "",
    "",
  ];
  socket.write(lines.join("\r\n"));
  return { outcome: await firstOutcome(socket, UPGRADE_TIMEOUT_MS), socket };
}

function handshakeLines(): string[] {
  return [
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${randomBytes(16).toString("base64")}`,
    "sec-websocket-protocol: portcullis.realtime.v1.json",
  ];
}

/** A client frame, valid or not. */
export function frameOf(
  opcode: number,
  payload: Buffer,
  options: { isFinal?: boolean; isMasked?: boolean; reserved?: number; claimed?: bigint } = {},
): Buffer {
  const { isFinal = true, isMasked = true, reserved = 0 } = options;
  const claimed = options.claimed ?? BigInt(payload.length);
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = isMasked ? 0x80 : 0;
  const head = lengthHead(first, mask, claimed);
  if (!isMasked) return Buffer.concat([head, payload]);
  // A mask of zeros does not change the payload.
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

function lengthHead(first: number, mask: number, length: bigint): Buffer {
  if (length < 126n) return Buffer.from([first, mask | Number(length)]);
  const isShort = length < 65_536n;
  const head = Buffer.alloc(isShort ? 4 : 10);
  head.writeUInt8(first, 0);
  head.writeUInt8(mask | (isShort ? 126 : 127), 1);
  if (isShort) head.writeUInt16BE(Number(length), 2);
  else head.writeBigUInt64BE(length, 2);
  return head;
}

export function textFrame(frame: object): Buffer {
  return frameOf(OPCODE.text, Buffer.from(JSON.stringify(frame)));
}
