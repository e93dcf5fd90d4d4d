import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Copies what the compiler does not: data files that programs read from their own folder. */
const ASSET = /\.(sql|ya?ml|tmpl|html|css|json)$/;
const FOLDERS = ["services", "clients", "tools", "test", "deploy"];

const root = fileURLToPath(new URL("../../../", import.meta.url));
for (const folder of FOLDERS) {
  if (!existsSync(`${root}/${folder}`)) continue;
  removeStale(folder);
  cpSync(`${root}/${folder}`, `${root}/dist/${folder}`, {
    recursive: true,
    filter: (source) => !/\.[a-z]+$/.test(source) || ASSET.test(source),
  });
}

// Records the release, since the image holds neither git nor always its package.json.
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
const revision = process.env["RELEASE_REVISION"]?.trim() || findRevision();
writeFileSync(
  `${root}/dist/services/runtime/release.json`,
  JSON.stringify({ version, ...(revision !== undefined && { revision }) }),
);

/** Removes old copies: a renamed migration would otherwise be there twice. */
function removeStale(folder: string): void {
  const built = `${root}/dist/${folder}`;
  if (!existsSync(built)) return;
  for (const name of readdirSync(built, { recursive: true, encoding: "utf8" })) {
    const isStale = ASSET.test(name) && !existsSync(`${root}/${folder}/${name}`);
    // Files that the build itself writes have no source.
    if (isStale && !name.endsWith("release.json")) rmSync(`${built}/${name}`, { force: true });
  }
}

/** Returns the commit, marked if the sources differ from it; undefined outside a repository. */
function findRevision(): string | undefined {
  try {
    const arguments_ = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    return execFileSync("git", arguments_, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}
