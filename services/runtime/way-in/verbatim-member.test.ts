import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { liftMember } from "./verbatim-member.ts";

const MEMBER = { name: "json", into: "jsonText" };

function lift(text: string | Uint8Array) {
  const lifted = liftMember(typeof text === "string" ? Buffer.from(text) : text, MEMBER);
  return lifted.kind === "problem"
    ? lifted.problem
    : JSON.parse(Buffer.from(lifted.bytes).toString());
}

describe("liftMember() hands on exactly what was written:", () => {
  const values = [
    '{"id": 1234567890123456789, "__proto__": {"a": 1}, "2": 1, "1": 2}',
    '{"a":1,"a":2}',
    "1.0",
    "-0",
    "1E400",
    '"\\u0041\\/\\ud800 \\"}] "',
    '"ü 😀\u2028"',
    '[ 1 ,\n\t[ ], {"json": [1]} ]',
    "null",
    "true",
    '""',
    `${"[".repeat(500)}${"]".repeat(500)}`,
  ];
  for (const value of values) {
    test(value.slice(0, 40), () => {
      const expected = { datasource: "demo", jsonText: value };
      expect(lift(`{"datasource":"demo","json":${value}}`)).toEqual(expected);
      expect(lift(` {"json" : ${value} , "datasource" : "demo" }\r\n`)).toEqual(expected);
      expect(lift(`{"\\u006ason":${value},"datasource":"demo"}`)).toEqual(expected);
    });
  }
});

test("liftMember() gives any JSON back as it was, wherever it stands", () => {
  const json = fc.json({ maxDepth: 4 });
  const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
  fc.assert(
    fc.property(json, json, space, (value, other, gap) => {
      const body = `{${gap}"o":${other}${gap},"json"${gap}:${gap}${value}${gap},"p":${other}}`;
      const { o, p } = JSON.parse(body);
      expect(lift(body)).toEqual({ o, jsonText: value, p });
    }),
  );
});

test("liftMember() leaves an object without the member alone", () => {
  expect(lift("{}")).toEqual({});
  expect(lift('{"jsonText":"1","a":{"json":1}}')).toEqual({ jsonText: "1", a: { json: 1 } });
});

describe("liftMember() refuses", () => {
  const refused: [string, string | Uint8Array, RegExp][] = [
    ["the member twice", '{"json":1,"json":2}', /json: is there more than once/],
    ["the member beside its text", '{"json":1,"jsonText":"2"}', /json: is there beside jsonText/],
    ["the same in the schema's spelling", '{"json":1,"json_text":"2"}', /beside jsonText/],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /body: .*UTF-8/],
    ...["", "1", "[]", "{", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", '{"a":1}}', '{"a":1 2}'].map(
      (text): [string, string, RegExp] => [`no object: ${text}`, text, /body: .*object/],
    ),
  ];
  for (const [name, text, problem] of refused) {
    test(name, () => expect(lift(text)).toMatch(problem));
  }
});
