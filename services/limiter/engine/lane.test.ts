import { expect, test } from "vitest";
import { RefundOperation } from "../decisions/refund-operation.ts";
import { insertByDeadline } from "./lane.ts";
import type { Operation } from "./operation.ts";

test("insertByDeadline() keeps the order of deadlines, and among equal ones that of arrival", () => {
  const waiting: Operation[] = [];
  const [one, two, late, equal] = [10, 30, 20, 30].map(operationDueAt);
  for (const operation of [one, two, late, equal]) {
    if (operation !== undefined) insertByDeadline(waiting, operation);
  }
  expect(waiting).toEqual([one, late, two, equal]);
  expect(waiting[2]).toBe(two);
});

function operationDueAt(deadlineMs: number): Operation {
  return new RefundOperation({
    ...{ receiptId: "", entries: [], deadlineMs },
    resolve() {},
    reject() {},
  });
}
