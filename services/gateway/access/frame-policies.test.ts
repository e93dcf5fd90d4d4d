import { expect, test } from "vitest";
import { ClientFrameSchema } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { FRAME_POLICIES } from "./frame-policies.ts";
import { REALTIME_POLICIES } from "./policies.ts";

test("every kind of client frame has its bounds, and there are no others", () => {
  const [body] = ClientFrameSchema.oneofs;
  const kinds = body?.fields.map(({ localName }) => localName) ?? [];
  expect(kinds.length).toBeGreaterThan(0);
  expect(Object.keys(FRAME_POLICIES).sort()).toEqual([...kinds, "control"].sort());
});

test("every frame that asks others is bounded for its session, and charged to its address", () => {
  const asking = Object.entries(FRAME_POLICIES).filter(([, { decisions }]) => decisions);
  expect(asking.map(([kind]) => kind).sort()).toEqual(["refresh", "subscribe", "subscribeAll"]);
  for (const [kind, { limits }] of asking) {
    for (const charged of [limits.publicToken, limits.accountToken]) {
      expect(
        charged.some((policy) => policy.endsWith(".ip")),
        kind,
      ).toBe(true);
    }
  }
  const charged = Object.values(FRAME_POLICIES).flatMap(({ limits }) =>
    Object.values(limits).flat(),
  );
  for (const policy of charged) expect(REALTIME_POLICIES).toContain(policy);
});
