import {
  type EvidenceRecord,
  headOf,
  nextRecord,
} from "../../tools/rollout/evidence/evidence-chain.ts";
import type { Json } from "../../tools/rollout/evidence/json.ts";
import type { Verdict } from "../../tools/rollout/terms/verdict.ts";

const BEGUN_AT = Date.parse("2026-11-23T21:00:00Z");
const MINUTE_MS = 60_000;

type Step = { afterMinutes: number; kind: string; data: Json };

/** Writes the records of two rollouts: one that the timer took back, and one that was completed. */
export function twoRollouts(): readonly EvidenceRecord[] {
  const steps: Step[] = [
    step(0, "verb-preflight", { arguments: [], exitCode: 0, printed: "pass (16 passed)" }),
    ...stage("proxy", ["proxy"]),
    step(3, "timer-fired", { to: "baseline", by: "timer", reason: "not confirmed in time" }),
    ...rollback("baseline", "timer", "not confirmed in time", ["proxy"]),
    step(600, "rollout-begun", { release: "2026.48", change: "CHG-1234", from: "baseline" }),
    ...stage("proxy", ["proxy"]),
    step(2, "stage-confirmed", { position: "proxy", takesOnDoubt: null }),
    ...stage("api", ["limiter", "auth"]),
    step(4, "stage-confirmed", { position: "api", takesOnDoubt: null }),
    ...stage("gateway", ["gateway"], "fail"),
    ...rollback("api", "verification", "hops.aligned: gateway 2", ["gateway"]),
    ...stage("gateway", ["gateway"], "inconclusive"),
    step(3, "stage-confirmed", {
      position: "gateway",
      takesOnDoubt: "the CDN is not in front yet",
    }),
    step(1, "stage-begun", { stage: "canary", from: "gateway", timer: null }),
    step(10, "checks", { of: "stage canary", verdict: "pass", checks: gates() }),
    step(2, "stage-confirmed", { position: "done", takesOnDoubt: null }),
  ];
  const records: EvidenceRecord[] = [];
  let nowMs = BEGUN_AT;
  for (const { afterMinutes, kind, data } of steps) {
    nowMs += afterMinutes * MINUTE_MS;
    const who = kind.startsWith("rollback") && nowMs < BEGUN_AT + 20 * MINUTE_MS ? "timer" : "ada";
    const at = new Date(nowMs).toISOString();
    records.push(nextRecord(headOf(records), { at, kind, data, who }));
  }
  return records;
}

function stage(name: string, changes: readonly string[], verdict: Verdict = "pass"): Step[] {
  return [
    step(1, "stage-begun", {
      stage: name,
      from: name === "proxy" ? "baseline" : "before",
      timer: null,
    }),
    ...changes.map((change) => command(`apply of ${change}`)),
    step(1, "checks", { of: `stage ${name}`, verdict, checks: checks(verdict) }),
  ];
}

function rollback(to: string, by: string, reason: string, changes: readonly string[]): Step[] {
  return [
    step(1, "rollback-begun", { to, by, reason, changes: [...changes] }),
    ...changes.map((change) => command(`rollback of ${change}`)),
    step(1, "rollback-ended", { to, by, changes: [...changes] }),
  ];
}

function command(purpose: string): Step {
  const output = "reloaded\nwith <b>markup</b> & more\n";
  return step(1, "command-ended", {
    purpose,
    exitCode: 0,
    stoppedBy: null,
    durationMs: 900,
    output,
  });
}

function checks(verdict: Verdict): Json {
  return [
    check("identity.hops.auth", "pass", "1"),
    check("hops.aligned", verdict, "auth 1, limiter 1, gateway 2"),
  ];
}

function gates(): Json {
  return [
    check("canary.login", "pass", "20 times, in at most 80 ms"),
    check("gate.client-ip.warnings", "pass", "0, limit none"),
    check("gate.limiter.p99", "pass", "12.1 ms, limit at most 100 ms"),
    check("gate.upgrades.accepted", "pass", "99.2 %, limit at least 95 %"),
  ];
}

function check(id: string, verdict: Verdict, observed: string): Json {
  const mend = verdict === "pass" ? "" : "set equal hops";
  return { id, title: `What ${id} looks at`, verdict, observed, why: "it matters", mend };
}

function step(afterMinutes: number, kind: string, data: Json): Step {
  return { afterMinutes, kind, data };
}
