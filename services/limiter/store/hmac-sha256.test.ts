import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { createHmacSha256 } from "./hmac-sha256.ts";

test("createHmacSha256() is HMAC-SHA-256, for keys and messages of every length", () => {
  for (const keyLength of [0, 1, 63, 64, 65, 200]) {
    const key = "k".repeat(keyLength);
    const digest = createHmacSha256(key);
    for (const length of [0, 1, 55, 64, 448, 449, 5_000, 3]) {
      const message = Buffer.alloc(length, length);
      const expected = createHmac("sha256", key).update(message).digest("hex");
      expect(digest(message), `key ${keyLength}, message ${length}`).toBe(expected);
    }
  }
});
