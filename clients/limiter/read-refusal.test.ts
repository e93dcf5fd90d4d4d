import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { readRefusal } from "./read-refusal.ts";

test.each([
  ["buckets[0].key: must be an IP address", "key", "must be an IP address"],
  ["requests[12].buckets[3].cost: is more than 5", "cost", "is more than 5"],
  ["key: is required", "key", "is required"],
])("readRefusal() names the field of %s", (message, field, problem) => {
  const refusal = readRefusal(new ConnectError(message, Code.InvalidArgument));
  expect(refusal).toEqual({ code: "invalid_argument", field, problem });
});

test("readRefusal() tells an unknown policy from a bad one", () => {
  const unknown = new ConnectError('buckets[0].policy: no policy "x"', Code.NotFound);
  expect(readRefusal(unknown)).toMatchObject({ code: "not_found", field: "policy" });
});

test.each([
  ["an outage", new ConnectError("buckets[0].key: x", Code.Unavailable)],
  ["another address than the limiter's", new ConnectError("HTTP 404", Code.NotFound)],
  ["a wrong token", new ConnectError("a valid service token is required", Code.Unauthenticated)],
  ["a bug", new Error("buckets[0].key: x")],
])("readRefusal() takes %s for no refusal of the request", (_name, thrown) => {
  expect(readRefusal(thrown)).toBeUndefined();
});
