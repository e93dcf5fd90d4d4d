import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { codeOf, isThere, PAGES, ROOT, readText, SHIPPED } from "./pages.ts";

/** Files of the operator, files that a command makes, and libraries named like files. */
const OF_OTHERS = new Set([
  "uWebSockets.js",
  "ipaddr.js",
  "rollout.yaml",
  "auth.env",
  "limiter.env",
  "gateway.env",
  "edge.yaml",
  "my-edge.yaml",
  "nginx.conf",
  "nginx.baseline.conf",
  "rollout-evidence.json",
  "rollout-evidence.html",
  "stateDir/timer.json",
  "stateDir/journal.json",
  "evidence.head.json",
]);

const FOLDERS = ["services", "clients", "tools", "test", "deploy", "examples", "proto", "gen"];
const BELOW_A_FOLDER = new RegExp(
  `(?<![\\w./@:-])(?:${FOLDERS.join("|")}|\\.ci)/[\\w.*/-]*[\\w*/]`,
  "g",
);
const WITH_AN_ENDING =
  /^(?!\/)[\w./*-]+\.(?:ts|js|md|ya?ml|jsonc?|conf|cfg|Caddyfile|svg|sql|proto|html|ini)$/;

const NAMES = [
  ...readdirSync(ROOT),
  ...FOLDERS.flatMap((folder) => {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  }),
].map((file) => basename(file));

test("what is shipped names no file of this project that is not there", () => {
  const unknown = SHIPPED.flatMap((file) =>
    [...readText(file).matchAll(BELOW_A_FOLDER)]
      .filter(([path]) => !isThere(path, file))
      .map(([path]) => `${file}: ${path}`),
  );
  expect(unknown).toEqual([]);
});

test("pages show no file name that nothing has", () => {
  const unknown = PAGES.flatMap((page) =>
    codeOf(readText(page))
      .filter((word) => WITH_AN_ENDING.test(word))
      .filter((word) => !OF_OTHERS.has(word) && !isThere(word, page) && !NAMES.includes(word))
      .map((word) => `${page}: ${word}`),
  );
  expect(unknown).toEqual([]);
});

test("pages have no link that leads nowhere", () => {
  const broken = PAGES.flatMap((page) =>
    [...readText(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !link.includes("://") && !leadsSomewhere(link, page))
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("alerts and dashboards point at chapters that the runbook has", () => {
  const chapters = headingsOf("RUNBOOK.md");
  const anchors = SHIPPED.flatMap((file) =>
    [...readText(file).matchAll(/(?:RUNBOOK\.md|runbook \}\})#([\w-]+)/g)].map(
      ([, anchor = ""]) => anchor,
    ),
  );
  expect(anchors.length).toBeGreaterThan(0);
  expect(anchors.filter((anchor) => !chapters.includes(anchor))).toEqual([]);
});

function leadsSomewhere(link: string, page: string): boolean {
  const [path = "", anchor] = link.split("#");
  if (path !== "" && !isThere(path, page)) return false;
  return anchor === undefined || headingsOf(path === "" ? page : path).includes(anchor);
}

/** Returns the anchors that GitHub generates for a page's headings. */
function headingsOf(page: string): string[] {
  return [...readText(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s/g, "-"),
  );
}
