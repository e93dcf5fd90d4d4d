import fc from "fast-check";
import { expect, test } from "vitest";
import { ClassQueue } from "./class-queue.ts";

type Request = { key: string; number: number; ahead: number };

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ push: fc.constantFrom("a", "b", "c", "d", "e") }) },
  { weight: 1, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 4 }) }) },
);

test("take() lets no request wait for more turns of another key than its own key takes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new ClassQueue<Request>("logins");
      const waiting: Request[] = [];
      const served: Request[] = [];
      const servedAtPush = new Map<Request, number>();
      const take = (most: number) => {
        const taken = queue.take(most);
        for (const { item } of taken) {
          const turns = countByKey(served.slice(servedAtPush.get(item)), item.key);
          // Its own turn and those of its key's earlier requests: nobody else has had more.
          expect(Math.max(0, ...turns)).toBeLessThanOrEqual(item.ahead + 1);
          served.push(item);
          waiting.splice(waiting.indexOf(item), 1);
        }
        queue.done(taken);
        expect(queue.waiting).toBe(waiting.length);
      };
      for (const [number, one] of steps.entries()) {
        if ("take" in one) {
          take(one.take);
          continue;
        }
        const ahead = waiting.filter(({ key }) => key === one.push).length;
        const request = { key: one.push, number, ahead };
        servedAtPush.set(request, served.length);
        waiting.push(request);
        expect(queue.push({ item: request, key: one.push, sinceMs: 0 }, false)).toBe(true);
      }
      take(waiting.length + 1);
      expect(waiting).toEqual([]);
      for (const key of ["a", "b", "c", "d", "e"]) {
        const numbers = served.filter((one) => one.key === key).map((one) => one.number);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    }),
  );
});

test("shed() and expire() leave counts right, and take the longest key first", () => {
  const removal = fc.oneof(
    step,
    fc.record({ shed: fc.boolean() }),
    fc.record({ expire: fc.integer({ min: 0, max: 100 }) }),
  );
  fc.assert(
    fc.property(fc.array(removal, { maxLength: 200 }), (steps) => {
      const queue = new ClassQueue<number>("logins");
      const lengths = new Map<string, number>();
      const remove = (key: string) => lengths.set(key, (lengths.get(key) ?? 0) - 1);
      for (const [number, one] of steps.entries()) {
        if ("push" in one) {
          queue.push({ item: number, key: one.push, sinceMs: number }, false);
          lengths.set(one.push, (lengths.get(one.push) ?? 0) + 1);
        } else if ("take" in one) {
          const taken = queue.take(one.take);
          for (const { key } of taken) remove(key);
          queue.done(taken);
        } else if ("expire" in one) {
          for (const { key, sinceMs } of queue.expire(one.expire)) {
            expect(sinceMs).toBeLessThan(one.expire);
            remove(key);
          }
        } else {
          const longest = Math.max(0, ...lengths.values());
          const shed = queue.shed();
          expect(shed === undefined ? 0 : lengths.get(shed.key)).toBe(longest);
          if (shed !== undefined) remove(shed.key);
        }
        expect(queue.waiting).toBe([...lengths.values()].reduce((sum, length) => sum + length, 0));
        expect(queue.isReady).toBe(queue.waiting > 0);
      }
    }),
  );
});

/** How often each other key was served. */
function countByKey(served: readonly Request[], except: string): number[] {
  const counts = new Map<string, number>();
  for (const { key } of served) {
    if (key !== except) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts.values()];
}
