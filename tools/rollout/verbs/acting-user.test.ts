import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { findActingUser } from "./acting-user.ts";

test("findActingUser() takes the name that is given, or else the system's user", () => {
  const user = userInfo().username;
  expect(findActingUser(" Ada Lovelace ", {})).toBe("Ada Lovelace");
  expect(findActingUser(undefined, {})).toBe(user);
  expect(findActingUser(undefined, { SUDO_USER: user })).toBe(user);
  expect(findActingUser(undefined, { SUDO_USER: "ada" })).toBe(`ada as ${user}`);
});

test.each(["", " ", "a\nb", "x".repeat(129)])("findActingUser() refuses %j", (name) => {
  expect(() => findActingUser(name, {})).toThrow("--as must be a name");
});
