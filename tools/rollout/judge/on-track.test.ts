import { expect, test } from "vitest";
import { onTrack } from "./on-track.ts";
import { watchlist } from "./watchlist.ts";

test("onTrack() narrows every metric, and nothing else", () => {
  expect(onTrack("sum(rate(portcullis_a_total[5m]))", "canary")).toBe(
    'sum(rate(portcullis_a_total{track="canary"}[5m]))',
  );
  expect(onTrack('rpc_server_call_duration_count{rpc_method="x"} / target_info', "stable")).toBe(
    'rpc_server_call_duration_count{track="stable",rpc_method="x"} / target_info{track="stable"}',
  );
  expect(onTrack('count(ALERTS{alertname="Watchdog"})', "canary")).not.toContain("track");
});

test("onTrack() narrows every gate that measures a service", () => {
  const gates = watchlist({ hops: 1, topology: "direct" });
  const missed = gates.filter(({ value }) => !onTrack(value("60s"), "canary").includes("track="));
  expect(missed.map(({ id }) => id)).toEqual(["gate.alerts.heartbeat"]);
});
