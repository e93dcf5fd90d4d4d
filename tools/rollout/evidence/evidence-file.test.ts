import { expect, test } from "vitest";
import { type EvidenceRecord, headOf, nextRecord } from "./evidence-chain.ts";
import {
  renderEvidenceJson,
  renderEvidencePage,
  type Verification,
  verifyEvidence,
} from "./evidence-file.ts";
import { canonicalJson, type Json } from "./json.ts";

const RECORDS = chainOf([
  { stage: "proxy", from: "baseline" },
  {
    of: "stage proxy",
    checks: [
      { id: "hops.aligned", title: "Hops", verdict: "fail", observed: "2", why: "w", mend: "m" },
    ],
  },
  { purpose: "apply of proxy", output: "<b>reloaded</b>\nπ\ufffd", exitCode: 0 },
]);

test("a report holds as it was written, in both forms, and names its head", () => {
  const head = headOf(RECORDS);
  expect(head.count).toBe(3);
  for (const report of [renderEvidenceJson(RECORDS), renderEvidencePage(RECORDS)]) {
    for (const hash of [undefined, head.hash, head.hash.toUpperCase(), ` ${head.hash}\n`]) {
      expect(verify(report, hash)).toEqual({ kind: "holds", head });
    }
    expect(report).toContain(head.hash);
  }
});

test.each([
  ["JSON", renderEvidenceJson],
  ["HTML", renderEvidencePage],
])("%s: no single byte can be changed, added or left out", (_form, render) => {
  const report = Buffer.from(render(RECORDS));
  const changes = (byte: number) => [[byte ^ 0x01], [byte ^ 0x1f], [], [byte, 0x20]];
  const data = { from: report.indexOf('{"format'), to: report.lastIndexOf("}") };
  // What stands around the data is compared as a whole, so that some of its bytes tell of all.
  const isTried = (at: number) => at % 7 === 0 || (at >= data.from && at <= data.to);
  for (const [at, byte] of [...report.entries()].filter(([at]) => isTried(at))) {
    const [before, after] = [report.subarray(0, at), report.subarray(at + 1)];
    // Each byte is changed in one way, and each way at every fourth byte.
    const changed = Buffer.concat([
      before,
      Buffer.from(changes(byte)[(at + Math.floor(at / 7)) % 4] ?? []),
      after,
    ]);
    const { kind } = verifyEvidence(changed, undefined);
    expect(kind, `byte ${at}`).toBe("broken");
  }
});

test("a chain that was cut short, or made anew as a whole, is told by the head that was noted", () => {
  const { hash } = headOf(RECORDS);
  const shorter = renderEvidenceJson(RECORDS.slice(0, 2));
  expect(verify(shorter, undefined).kind).toBe("holds");
  expect(verify(shorter, hash)).toMatchObject({
    kind: "broken",
    reason: expect.stringContaining("and not at"),
  });
  const rewritten = chainOf([{ verdict: "pass" }, { verdict: "pass" }, { verdict: "pass" }]);
  expect(verify(renderEvidenceJson(rewritten), hash).kind).toBe("broken");
});

test.each<[string, readonly EvidenceRecord[], RegExp]>([
  [
    "left out in the middle",
    RECORDS.filter(({ sequence }) => sequence !== 2),
    /record 2 is missing/,
  ],
  ["in another order", [...RECORDS].reverse(), /record 1 is missing or out of order/],
  [
    "with other data",
    RECORDS.map((record) => ({ ...record, data: "none" })),
    /record 1 was altered/,
  ],
])("records %s break the chain, and the first bad one is named", (_what, records, reason) => {
  const document = { format: "portcullis-rollout-evidence/1", head: headOf(RECORDS), records };
  const report = `${canonicalJson(JSON.parse(JSON.stringify(document)))}\n`;
  expect(verify(report, undefined)).toMatchObject({
    kind: "broken",
    reason: expect.stringMatching(reason),
  });
});

test("what is no report is broken, and nothing worse", () => {
  const { format, head, records } = JSON.parse(renderEvidenceJson(RECORDS));
  const strange = [
    { format, head: null, records },
    { format, head: {}, records },
    { format, head, records: [null] },
    { format, head, records: [7] },
    { format, head, records: [{}] },
  ];
  const texts = ["", "null", "[]", '{"records":[]}', "<!doctype html>", "{", "\u0000"];
  for (const text of [...texts, ...strange.map((document) => JSON.stringify(document))]) {
    expect(verify(text).kind, text).toBe("broken");
  }
});

test("renderEvidencePage() shows what only looks like checks as what it is", () => {
  for (const checks of [[null], ["x"], [{ id: "a" }], [[]]]) {
    const report = renderEvidencePage(chainOf([{ checks }]));
    expect(report).toContain("checks");
    expect(verify(report).kind).toBe("holds");
  }
});

test("renderEvidencePage() lets no text out of its place", () => {
  const page = renderEvidencePage(chainOf([{ output: '</script><script>alert("x")</script>' }]));
  expect(page.match(/<script/g)).toHaveLength(1);
  expect(page).toContain("&lt;/script&gt;");
});

function verify(report: string, notedHash?: string): Verification {
  return verifyEvidence(Buffer.from(report), notedHash);
}

function chainOf(contents: readonly Json[]): readonly EvidenceRecord[] {
  const records: EvidenceRecord[] = [];
  for (const [index, data] of contents.entries()) {
    const at = new Date(index * 1_000).toISOString();
    records.push(nextRecord(headOf(records), { at, kind: "checks", data }));
  }
  return records;
}
