import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { findWeakness } from "./secret-strength.ts";

const WEAK = [
  ["abcdefgh".repeat(4), "repeats itself"],
  ["aB3$xY9!".repeat(4), "repeats itself"],
  ["x7Hq2mZ9pL4wx7Hq2mZ9pL4wx7Hq2mZ9", "repeats itself"],
  ["user1user2user3user4user5user6user7user8", "repeats itself"],
  ["abc1abc2abc3abc4abc5abc6abc7abc8", "repeats itself"],
  ["00000000000000000000000abcdefghi", "repeats itself"],
  ["0123456789".repeat(4), "well-known"],
  ["zyxwvutsrqponmlkjihgfedcba987654", "sequence or a row of keys"],
  ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", "sequence or a row of keys"],
  ["acegikmoqsuwybdfhjlnprtvxzacegik", "sequence or a row of keys"],
  ["a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6", "sequence or a row of keys"],
  ["aabbccddeeffgghhiijjkkllmmnnoopp", "sequence or a row of keys"],
  ["qwertyuiopasdfghjklzxcvbnm098765", "sequence or a row of keys"],
  ["1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9", "sequence or a row of keys"],
  ["x".repeat(64), "too few different characters"],
  ["deadbeefcafebabedeadbeefcafebabe", "too few different characters"],
  ["5f0c1d9ae4b87362", "too short"],
  ["ChangeMe-5f0c1d9ae4b87362c1f0a9d8", "well-known"],
] as const;

test.each(WEAK)("findWeakness() says what is wrong with %s", (secret, weakness) => {
  expect(findWeakness(secret)).toContain(weakness);
});

test("findWeakness() takes what programs make up", () => {
  const made = Array.from({ length: 500 }, () => [
    randomBytes(16).toString("hex"),
    randomBytes(32).toString("hex"),
    randomBytes(24).toString("base64"),
    randomBytes(32).toString("base64url"),
    randomUUID(),
  ]).flat();
  expect(made.filter((secret) => findWeakness(secret) !== undefined)).toEqual([]);
});
