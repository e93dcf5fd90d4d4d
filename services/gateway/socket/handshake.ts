import type { AllowedOrigins } from "../../runtime/allowed-origins.ts";
import { chooseSubprotocol, type Subprotocol } from "../streams/subprotocol.ts";

/** Every line of every header of an upgrade request, by lower-case name. */
export type HeaderLines = ReadonlyMap<string, readonly string[]>;

/** A valid websocket handshake, or the HTTP answer that refuses it. */
export type Handshake =
  | { kind: "valid"; key: string; subprotocol: Subprotocol; echo: Subprotocol | "" }
  | { kind: "refused"; status: 400 | 403 | 426; message: string };

/** Sixteen bytes in base64 (RFC 6455, section 4.1). */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * Checks a handshake against RFC 6455 and its Origin against the allow-list. A request without
 * Origin is allowed: it comes from no browser, so no page can have forged it for a user.
 */
export function checkHandshake(headers: HeaderLines, allowedOrigins: AllowedOrigins): Handshake {
  if (!hasToken(headers, "upgrade", "websocket") || !hasToken(headers, "connection", "upgrade")) {
    return refuse(426, "this address speaks websocket only");
  }
  if (findOnly(headers, "sec-websocket-version") !== "13") {
    return refuse(426, "Sec-WebSocket-Version must be 13");
  }
  const key = findOnly(headers, "sec-websocket-key");
  if (key === undefined || !KEY.test(key)) return refuse(400, "Sec-WebSocket-Key is not valid");
  const origins = headers.get("origin") ?? [];
  if (origins.length > 1 || origins.some((origin) => !allowedOrigins.has(origin))) {
    return refuse(403, "this origin is not allowed");
  }
  const chosen = chooseSubprotocol(headers.get("sec-websocket-protocol")?.join(","));
  if (chosen === undefined) return refuse(400, "none of the offered subprotocols is known");
  return { kind: "valid", key, ...chosen };
}

function refuse(status: 400 | 403 | 426, message: string): Handshake {
  return { kind: "refused", status, message };
}

/** Whether a comma-separated header names a token, in any case and on any line. */
function hasToken(headers: HeaderLines, name: string, token: string): boolean {
  const parts = (headers.get(name) ?? []).flatMap((line) => line.split(","));
  return parts.some((part) => part.trim().toLowerCase() === token);
}

/** The value of a header that is there exactly once. */
function findOnly(headers: HeaderLines, name: string): string | undefined {
  const lines = headers.get(name) ?? [];
  return lines.length === 1 ? lines[0] : undefined;
}
