import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIOME = join(ROOT, "node_modules", ".bin", "biome");

/** A file, and what it imports. */
type Planted = readonly [file: string, source: string];

const REFUSED: readonly Planted[] = [
  ["services/limiter/store/a.ts", "../rpc/service.ts"],
  ["services/limiter/rules/b.ts", "../engine/engine.ts"],
  ["services/limiter/engine/c.ts", "../start.ts"],
  ["services/limiter/rpc/d.ts", "../../../clients/limiter/verdict.ts"],
  ["services/gateway/access/e.ts", "../socket/admission.ts"],
  ["services/gateway/socket/ws/f.ts", "../../../auth/rpc/cors.ts"],
  ["services/auth/tokens/g.ts", "../store/database.ts"],
  ["services/auth/internal/h.ts", "../../limiter/rules/decide.ts"],
  ["services/runtime/i.ts", "../../clients/limiter/verdict.ts"],
  ["clients/limiter/j.ts", "../../services/limiter/engine/engine.ts"],
  ["clients/limiter/k.ts", "../../services/auth/tokens/uuid.ts"],
  ["tools/rollout/evidence/l.ts", "../stages/stage-next.ts"],
  ["tools/edge/lint/caddy/m.ts", "../nginx/tree.ts"],
];

const ALLOWED: readonly Planted[] = [
  ["services/limiter/rpc/a.ts", "../decisions/limiter.ts"],
  ["services/limiter/store/b.ts", "../rules/policy.ts"],
  ["services/limiter/decisions/c.ts", "../events.ts"],
  ["services/limiter/start.ts", "./rpc/service.ts"],
  ["services/auth/rpc/d.ts", "../../../gen/portcullis/limiter/v1/limiter_pb.ts"],
  ["services/gateway/access/e.ts", "../../../clients/limiter/verdict.ts"],
  ["clients/limiter/f.ts", "../../services/limiter/rules/decide.ts"],
  ["clients/limiter/g.ts", "../../services/runtime/clock.ts"],
  ["tools/rollout/stages/h.ts", "../evidence/redact.ts"],
  ["services/limiter/rules/i.test.ts", "../engine/engine.ts"],
];

const WAYS: ReadonlyArray<readonly [way: string, write: (source: string) => string]> = [
  ["import", (source) => `import { x } from "${source}";\n\nx();\n`],
  ["type import", (source) => `import type { X } from "${source}";\n\nexport type Y = X;\n`],
  ["import()", (source) => `export const x = import("${source}");\n`],
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "portcullis-layers-"));
  cpSync(join(ROOT, "layers.grit"), join(directory, "layers.grit"));
  const config = {
    plugins: ["./layers.grit"],
    linter: { rules: { recommended: false } },
    root: true,
  };
  writeFileSync(join(directory, "biome.json"), JSON.stringify(config));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("every import against the direction of the layers is refused, in each way to import", () => {
  expect(refusedOf(REFUSED)).toEqual(REFUSED.map(([file]) => [file, WAYS.length]));
});

test("imports along the direction of the layers, and those of tests, are left alone", () => {
  expect(refusedOf(ALLOWED)).toEqual(ALLOWED.map(([file]) => [file, 0]));
});

/** How many ways to import are refused, by file. */
function refusedOf(planted: readonly Planted[]): Array<[file: string, refused: number]> {
  const paths = planted.map(([file, source]) =>
    WAYS.map(([way, write]) => {
      const path = file.replace(/(\.test)?\.ts$/, `-${way.replace(/\W/g, "")}$1.ts`);
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), write(source));
      return path;
    }),
  );
  const options = ["lint", "--reporter=github", "--max-diagnostics=none"];
  const { stdout, stderr } = spawnSync(BIOME, [...options, ...paths.flat()], {
    cwd: directory,
    encoding: "utf8",
  });
  // A rule that cannot run says so, and refuses nothing.
  expect(stdout + stderr).not.toContain("errored");
  return planted.map(([file], index) => {
    const refused = paths[index]?.filter((path) => stdout.includes(`/${path},`)) ?? [];
    return [file, refused.length];
  });
}
