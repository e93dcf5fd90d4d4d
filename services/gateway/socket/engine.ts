import type { RealtimeEvents } from "../events.ts";
import type { ConnectionBounds } from "../session/connection-bounds.ts";
import type { Exchange } from "./exchange.ts";

/** Which library serves websockets; `auto` takes the fastest one that runs here. */
export const ENGINE_CHOICES = ["auto", "uws", "ws"] as const;

export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** A websocket library that runs here and can open the public door. */
export type Engine = {
  name: Exclude<EngineChoice, "auto">;
  /** The library's version. */
  version: string;
  /** Why this library was chosen, for the operator. */
  reason: string;
  openDoor(options: DoorOptions): Promise<Door>;
};

export type DoorOptions = {
  host: string;
  port: number;
  bounds: ConnectionBounds;
  /** Whether a peer is a proxy, which connects for many clients. */
  isProxy(remote: string): boolean;
  events: Pick<RealtimeEvents, "shed">;
  /** Receives every complete request, and must answer it. */
  route(exchange: Exchange): void;
};

/** The public door of the gateway, while it is open. */
export type Door = {
  port: number;
  /** Accepts no more connections, and refuses those whose request is not complete. */
  close(): void;
};

/**
 * Above the protocol's limit, so that a frame slightly too large still gets its close code. An
 * engine buffers at most this much of an unfinished message.
 */
export const PAYLOAD_BYTES_MAX = 40 * 1024;
/** A session never reaches this: it closes a slow reader long before. */
export const BACKPRESSURE_BYTES_MAX = 1024 * 1024;
/** Two and a half ping intervals, in steps of four seconds as uWebSockets has them. */
export const IDLE_TIMEOUT_S = 64;

/** The error of an engine that cannot open its door. */
export function cannotListen(host: string, port: number, cause?: unknown): Error {
  const text = `cannot listen on ${host}:${port} (GATEWAY_PORT): the port is in use, or the`;
  return new Error(`${text} address (BIND_HOST) is not of this machine`, { cause });
}
