import { expect, test } from "vitest";
import * as z from "zod";
import { decodeJson, fits } from "./decode-json.ts";

const COUNT = z.object({ count: z.int().min(0) });

test("decodeJson() answers the value as it was written, with fields that the schema does not name", () => {
  expect(decodeJson('{"later":[1],"count":2}', COUNT)).toEqual({ later: [1], count: 2 });
});

test.each(["", "{", "null", "[]", '{"count":-1}', '{"Count":1}'])(
  "decodeJson() answers undefined for %j",
  (text) => {
    expect(decodeJson(text, COUNT)).toBeUndefined();
  },
);

test("fits() tells whether a value has a form", () => {
  expect([{ count: 0 }, { count: "0" }, undefined].map((value) => fits(value, COUNT))).toEqual([
    true,
    false,
    false,
  ]);
});
