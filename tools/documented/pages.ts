import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Pages for people. */
export const PAGES = [
  "README.md",
  "RUNBOOK.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  "deploy/README.md",
] as const;

/** Files for programs: configurations, rules, dashboards. */
export const CONFIGURATIONS = readdirSync(join(ROOT, "deploy"), {
  recursive: true,
  encoding: "utf8",
})
  .map((name) => `deploy/${name}`)
  .filter((name) => /\.(?:conf|cfg|Caddyfile|ya?ml|json)$/.test(name));

/** All files shipped beside the code. */
export const SHIPPED = [
  ...PAGES,
  ...CONFIGURATIONS,
  ".env.example",
  "tools/edge/defaults.yaml",
] as const;

export function readText(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** Returns the code of a page line by line: fenced blocks, and spans within a sentence. */
export function codeOf(page: string): string[] {
  const fences = [...page.matchAll(/^ *```\w*\n([\s\S]*?)^ *```/gm)].map(([, text = ""]) => text);
  const words = page.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").matchAll(/`([^`]+)`/g);
  return [
    ...fences.flatMap((text) => text.replaceAll(/\\\n\s*/g, "").split("\n")),
    ...[...words].map(([, text = ""]) => text.replaceAll(/\s+/g, " ")),
  ];
}

/** Whether a path exists, relative to the page or to the root. */
export function isThere(path: string, page: string): boolean {
  return [dirname(page), "."].some((folder) => {
    const [first = "", ...rest] = path.split("*");
    if (rest.length === 0) return existsSync(join(ROOT, folder, path));
    // A pattern exists if its folder has files.
    const parent = join(ROOT, folder, first.slice(0, first.lastIndexOf("/") + 1));
    return existsSync(parent) && readdirSync(parent).length > 0;
  });
}
