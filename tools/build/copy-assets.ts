import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What the compiler leaves behind: data that programs read from beside themselves. */
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

// Which release the program is of, since the image holds neither git nor, perhaps, its package.json.
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
const revision = process.env["RELEASE_REVISION"]?.trim() || findRevision();
writeFileSync(
  `${root}/dist/services/runtime/release.json`,
  JSON.stringify({ version, ...(revision !== undefined && { revision }) }),
);

/** A migration that has another name by now would be one too many. */
function removeStale(folder: string): void {
  const built = `${root}/dist/${folder}`;
  if (!existsSync(built)) return;
  for (const name of readdirSync(built, { recursive: true, encoding: "utf8" })) {
    const isStale = ASSET.test(name) && !existsSync(`${root}/${folder}/${name}`);
    // What the build itself writes has no source.
    if (isStale && !name.endsWith("release.json")) rmSync(`${built}/${name}`, { force: true });
  }
}

/** The commit, marked when the sources differ from it; undefined outside of a repository. */
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
