import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import { PublishTargets } from "./publish-targets.ts";

test("find() asks once about a datasource, and then answers at once", async () => {
  const { targets, asked } = setup(["demo"]);
  expect(await Promise.all([targets.find("demo"), targets.find("demo")])).toEqual([
    "exists",
    "exists",
  ]);
  expect(targets.find("demo")).toBe("exists");
  expect(asked).toEqual(["demo"]);
});

test("find() keeps no bad news: what was just made can be published to", async () => {
  const { targets, existing } = setup([]);
  expect(await targets.find("demo")).toBe("does-not-exist");
  existing.add("demo");
  expect(await targets.find("demo")).toBe("exists");
});

test("find() goes on with what is old while auth is asked again, or cannot be", async () => {
  const { targets, existing, asked, clock, outage, settled } = setup(["demo"]);
  await targets.find("demo");
  clock.advance(60_001);
  outage(true);
  expect(targets.find("demo")).toBe("exists");
  await settled();
  expect(targets.find("demo")).toBe("exists");
  await settled();
  expect(asked).toEqual(["demo", "demo", "demo"]);
  expect(await targets.find("other")).toBe("unknown");
  outage(false);
  existing.delete("demo");
  expect(targets.find("demo")).toBe("exists");
  await settled();
  expect(await targets.find("demo")).toBe("does-not-exist");
});

test("forget() has auth asked again, also while a question is in flight", async () => {
  const { targets, existing } = setup(["demo"]);
  await targets.find("demo");
  existing.delete("demo");
  targets.forget("demo");
  const asked = targets.find("demo");
  targets.forget("demo");
  expect(await asked).toBe("does-not-exist");
  existing.add("demo");
  expect(await targets.find("demo")).toBe("exists");
});

function setup(names: readonly string[]) {
  const clock = createManualClock(0);
  const existing = new Set(names);
  const asked: string[] = [];
  let isOut = false;
  const targets = new PublishTargets({
    clock,
    auth: {
      async introspectDatasources(datasources) {
        asked.push(...datasources);
        if (isOut) return { kind: "unreachable" };
        return datasources.map((datasource) =>
          existing.has(datasource)
            ? { kind: "active", datasource, subject: "public", scope: "", accessVersion: 1 }
            : { kind: "inactive" },
        );
      },
    },
  });
  return {
    targets,
    existing,
    asked,
    clock,
    outage: (isNow: boolean) => {
      isOut = isNow;
    },
    settled: () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))),
  };
}
