import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { NoDecisionSchema } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { judgeAnswers, judgeFailure } from "./way-evidence.ts";

const X = { buckets: [{ policy: "login.ip", key: "x" }] };
const Y = { buckets: [{ policy: "login.ip", key: "y" }] };
const BOTH = { buckets: [...X.buckets, ...Y.buckets] };
const NAME_OF_X = "login.ip\nfalse\nx";

test("judgeAnswers() takes one decision, refusal or overload in a batch for a way that works", () => {
  for (const proof of [
    { decision: undefined },
    { error: new ConnectError("no such policy", Code.NotFound) },
    { error: noDecision("overloaded") },
  ]) {
    const answers = [{ error: noDecision("database") }, proof];
    expect(judgeAnswers(answers, [X, Y])).toEqual({ kind: "works" });
  }
});

test("judgeAnswers() names the buckets that all failed requests have in common", () => {
  const failed = { error: noDecision("timeout") };
  expect(judgeAnswers([failed, failed], [X, BOTH])).toEqual({
    kind: "fails",
    buckets: [NAME_OF_X],
  });
  expect(judgeAnswers([failed, failed], [X, Y])).toEqual({ kind: "fails", buckets: [] });
});

test("judgeFailure() suspects a bucket only when the limiter itself said so", () => {
  const failures: ReadonlyArray<[error: unknown, buckets: string[] | undefined]> = [
    [noDecision("database"), [NAME_OF_X]],
    [noDecision("timeout"), [NAME_OF_X]],
    [noDecision("draining"), []],
    [new ConnectError("refused", Code.Unavailable), []],
    [new ConnectError("too late", Code.DeadlineExceeded), []],
    [Object.assign(new Error("read"), { code: "ECONNRESET" }), []],
    [noDecision("overloaded"), undefined],
    [new ConnectError("who are you", Code.Unauthenticated), undefined],
    [new ConnectError("a bug", Code.Internal), undefined],
  ];
  for (const [error, buckets] of failures) {
    const expected = buckets === undefined ? { kind: "works" } : { kind: "fails", buckets };
    expect(judgeFailure(error, [X]), String(error)).toEqual(expected);
  }
});

function noDecision(reason: string): ConnectError {
  const detail = { desc: NoDecisionSchema, value: { reason } };
  return new ConnectError("no decision", Code.Unavailable, undefined, [detail]);
}
