import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LINT_HELP } from "../edge/lint-command.ts";
import { PROBE_HELP } from "../edge/probe-command.ts";
import { PROVE_HELP } from "../edge/prove-command.ts";
import { RENDER_HELP } from "../edge/render-command.ts";
import { RUN_HELP } from "../edge/run-command.ts";
import { codeOf, PAGES, ROOT, readText } from "./pages.ts";

const SCRIPTS: Readonly<Record<string, string>> = JSON.parse(readText("package.json")).scripts;

const EDGE_HELP: Readonly<Record<string, string>> = {
  render: RENDER_HELP,
  lint: LINT_HELP,
  prove: PROVE_HELP,
  probe: PROBE_HELP,
  run: RUN_HELP,
};

/** The sources of the rollout's verbs, which hold their help texts. */
const ROLLOUT_SOURCES = sourcesBelow("tools/rollout");

const PROJECTS = [...readText("vitest.config.ts").matchAll(/(?:project\(|name: )"([\w-]+)"/g)].map(
  ([, name = ""]) => name,
);

const BENCHMARKS = [...readText("test/bench/main.ts").matchAll(/^ {2}"?([\w-]+)"?: async/gm)].map(
  ([, name = ""]) => name,
);

const COMMANDS = PAGES.flatMap((page) =>
  codeOf(readText(page)).map((line) => ({ page, line: line.replace(/ # .*$/, "") })),
);

test("pages name no npm script that there is not", () => {
  expect(find(/\bnpm run (?:-s )?([\w:-]+)/g, (name) => name in SCRIPTS)).toEqual([]);
});

test("pages name no test project that there is not", () => {
  expect(find(/--project ([\w-]+)/g, (name) => PROJECTS.includes(name))).toEqual([]);
});

test("pages name no benchmark that there is not", () => {
  expect(find(/npm run bench -- ([\w-]+)/g, (name) => BENCHMARKS.includes(name))).toEqual([]);
});

test("pages name no verb and no option of the edge that there is not", () => {
  const unknown = find(/\bnpm run (?:-s )?edge -- (.*)$/g, (words) => {
    const [verb = "", ...rest] = words.split(" ");
    const help = EDGE_HELP[verb];
    return help !== undefined && optionsOf(rest.join(" ")).every((option) => help.includes(option));
  });
  expect(unknown).toEqual([]);
});

test("pages name no verb and no option of the rollout that there is not", () => {
  const verbs = [...ROLLOUT_SOURCES.matchAll(/^\s+name: "([\w-]+)",$/gm)].map(([, name]) => name);
  expect(verbs).toContain("preflight");
  const unknown = find(/(?:\bnpm run (?:-s )?rollout --|(?:^|\$ )rollout) ([a-z].*)$/g, (words) => {
    const [verb] = words.split(" ");
    const isKnown = optionsOf(words).every((option) => ROLLOUT_SOURCES.includes(`  ${option}`));
    return verbs.includes(verb) && isKnown;
  });
  expect(unknown).toEqual([]);
});

/** Returns the unknown names that the first group of a pattern finds in commands. */
function find(pattern: RegExp, isKnown: (found: string) => boolean): string[] {
  return COMMANDS.flatMap(({ page, line }) =>
    [...line.matchAll(pattern)]
      .map(([, found = ""]) => found)
      .filter((found) => !isKnown(found))
      .map((found) => `${page}: ${found}`),
  );
}

function optionsOf(words: string): string[] {
  return [...words.matchAll(/(?<!\S)--[a-z][\w-]*/g)].map(([option]) => option);
}

function sourcesBelow(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"))
    .join("\n");
}
