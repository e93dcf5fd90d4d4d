import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderEvidencePage, verifyEvidence } from "../../tools/rollout/evidence/evidence-file.ts";
import { twoRollouts } from "./rollout-records.ts";

const HINT = "apt-get install chromium";
/** Time for a browser to start on a busy machine. */
const BROWSER_TIMEOUT_MS = 50_000;
/** A picture of an empty page has fewer bytes than this. */
const PICTURE_BYTES_MIN = 30_000;

/** Whether a browser is installed; in CI it must be. */
function hasBrowser(): boolean {
  if (spawnSync("chromium", ["--version"]).status === 0) return true;
  if (process.env["CI"] === "true") throw new Error(`chromium is needed: ${HINT}`);
  return false;
}

describe.skipIf(!hasBrowser())(
  `the page of evidence in a browser${hasBrowser() ? "" : ` (skipped: ${HINT})`}`,
  () => {
    let folder: string;
    let url: string;
    let page: string;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "portcullis-evidence-page-"));
      const file = join(folder, "evidence.html");
      page = renderEvidencePage(twoRollouts());
      writeFileSync(file, page);
      url = pathToFileURL(file).href;
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("each rollout tells its outcome, who, when and under which change, the latest first", () => {
      const dom = browse("--dump-dom", url);
      const outcomes = [...dom.matchAll(/<p class="outcome (\w+)">([^<]*)</g)];
      expect(outcomes.map(([, verdict, text]) => [verdict, text])).toEqual([
        ["pass", "Completed: every stage was confirmed"],
        [
          "fail",
          "Rolled back to baseline (by the dead-man timer, since nobody confirmed: not confirmed in time)",
        ],
      ]);
      expect(dom).toContain("Rollout 2: 2026.48, CHG-1234");
      expect(dom).toContain("<dd>ada, timer</dd>");
      expect(dom).toContain("<dt>Doubt taken on</dt><dd>the CDN is not in front yet</dd>");
      expect(dom).toContain("12.1 ms, limit at most 100 ms");
    });

    test("the timeline has a bar for each stage and each way back, within its picture", () => {
      const dom = browse("--dump-dom", url);
      const [latest = "", first = ""] = dom.match(/<svg class="timeline"[\s\S]*?<\/svg>/g) ?? [];
      const titlesOf = (svg: string) =>
        [...svg.matchAll(/<rect class="(\w+)"[^>]*><title>([^,]*),/g)].map(([, ...rest]) => rest);
      expect(titlesOf(first)).toEqual([
        ["fail", "stage proxy: taken back"],
        ["fail", "rollback to baseline"],
      ]);
      expect(titlesOf(latest)).toEqual([
        ["pass", "stage proxy: confirmed"],
        ["pass", "stage api: confirmed"],
        ["fail", "stage gateway: taken back"],
        ["fail", "rollback to api"],
        ["pass", "stage gateway: confirmed"],
        ["pass", "stage canary: confirmed"],
      ]);
      const rights = [...latest.matchAll(/ x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
      expect(rights.length).toBe(6);
      for (const [, x, width] of rights) expect(Number(x) + Number(width)).toBeLessThanOrEqual(900);
    });

    test("it loads nothing from elsewhere, runs nothing, and shows texts as texts", () => {
      expect(page.match(/(?:src|href)=/g)).toBeNull();
      expect(page.match(/<script/g)).toHaveLength(1);
      expect(browse("--dump-dom", url)).toContain("with &lt;b&gt;markup&lt;/b&gt; &amp; more");
    });

    test("it is painted on a screen, wide or narrow", () => {
      for (const size of ["1280,2000", "420,2000"]) {
        const picture = join(folder, `${size}.png`);
        browse(`--screenshot=${picture}`, `--window-size=${size}`, url);
        expect(readFileSync(picture).length, size).toBeGreaterThan(PICTURE_BYTES_MIN);
      }
    });

    test("each rollout begins a page of its own on paper", () => {
      const file = join(folder, "evidence.pdf");
      browse(`--print-to-pdf=${file}`, "--no-pdf-header-footer", url);
      const pages = readFileSync(file, "latin1").match(/\/Type \/Page\b/g) ?? [];
      expect(pages.length).toBeGreaterThanOrEqual(2);
      expect(pages.length).toBeLessThan(8);
    });

    test("what was looked at still proves itself", () => {
      expect(verifyEvidence(Buffer.from(page), undefined).kind).toBe("holds");
    });

    const browse = (...parameters: readonly string[]) => {
      const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
      const profile = `--user-data-dir=${join(folder, "profile")}`;
      const { status, stdout, stderr } = spawnSync("chromium", [...flags, profile, ...parameters], {
        encoding: "utf8",
        timeout: BROWSER_TIMEOUT_MS,
        killSignal: "SIGKILL",
      });
      if (status !== 0) throw new Error(`chromium ended with ${status}: ${stderr}`);
      return stdout;
    };
  },
);
