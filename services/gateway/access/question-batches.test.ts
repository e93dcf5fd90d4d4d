import { expect, test } from "vitest";
import { QuestionBatches } from "./question-batches.ts";

const BOUNDS = { namesMax: 3, atOncePerAsker: 2 };

test("ask() puts what comes together into one question, and answers each", async () => {
  const { batches, asked, answerAll } = setup();
  const answers = Promise.all(["a", "b", "c", "d"].map((name) => batches.ask(name, "x")));
  const other = batches.ask("a", "y");
  await answerAll();
  expect(asked).toEqual(["x: a b c", "x: d", "y: a"]);
  expect(await answers).toEqual(["A", "B", "C", "D"]);
  expect(await other).toBe("A");
});

test("ask() lets what is over an asker's share wait together", async () => {
  const { batches, asked, answerAll, settled } = setup();
  const answers = [];
  for (const name of ["a", "b", "c", "d", "e"]) {
    answers.push(batches.ask(name, "x"));
    await settled();
  }
  expect(asked).toEqual(["x: a", "x: b"]);
  await answerAll();
  expect(asked).toEqual(["x: a", "x: b", "x: c d e"]);
  await answerAll();
  expect(await Promise.all(answers)).toEqual(["A", "B", "C", "D", "E"]);
});

test("ask() rejects what cannot be asked or is not answered, and goes on", async () => {
  const results = [() => Promise.reject(new Error("no")), async () => [], async () => ["A"]];
  const batches = new QuestionBatches(async () => await (results.shift()?.() ?? []), BOUNDS);
  await expect(batches.ask("a", "x")).rejects.toThrow("no");
  await expect(batches.ask("a", "x")).rejects.toThrow("not answered");
  expect(await batches.ask("a", "x")).toBe("A");
});

function setup() {
  const asked: string[] = [];
  const open: (() => void)[] = [];
  const batches = new QuestionBatches(async (names, asker) => {
    asked.push(`${asker}: ${names.join(" ")}`);
    await new Promise<void>((resolve) => open.push(resolve));
    return names.map((name) => name.toUpperCase());
  }, BOUNDS);
  const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return {
    batches,
    asked,
    settled,
    async answerAll() {
      await settled();
      for (const answer of open.splice(0)) answer();
      await settled();
    },
  };
}
