import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isErrorCode } from "../../tools/rollout/files/durable-file.ts";

/** A tmpfs mounted on one directory, small enough to be filled at once. */
export type SmallDisk = {
  /** Uses up every free block. */
  fill(): void;
  free(): void;
  setReadOnly(): void;
  unmount(): void;
};

const SIZE = "size=256k";
const BLOCK_BYTES = 4_096;
const HINT = "tests with a full disk mount a tmpfs, which needs root (or CAP_SYS_ADMIN)";

/**
 * Whether tests can mount a disk. On a developer's machine they are skipped with a line that says
 * why; in CI that is a failure, since nothing else would notice.
 */
export function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-rollout-mount-"));
  const isMounted = mount(directory);
  if (isMounted) unmount(directory);
  rmSync(directory, { recursive: true });
  if (isMounted) return true;
  if (process.env["CI"] === "true") throw new Error(HINT);
  process.stderr.write(`skipped: ${HINT}\n`);
  return false;
}

/** Mounts a small disk on a directory. */
export function mountSmallDisk(directory: string): SmallDisk {
  mkdirSync(directory, { recursive: true });
  if (!mount(directory)) throw new Error(HINT);
  const filler = join(directory, "filler");
  let layers = 1;
  return {
    fill: () => fillUp(filler),
    free: () => rmSync(filler),
    setReadOnly() {
      // Bind-mount it over itself: a disk with a file open for writing cannot become read-only.
      run("mount", ["--bind", directory, directory]);
      layers += 1;
      run("mount", ["-o", "remount,bind,ro", directory]);
    },
    unmount() {
      for (; layers > 0; layers -= 1) unmount(directory);
    },
  };
}

function fillUp(file: string): void {
  const handle = openSync(file, "w");
  try {
    for (;;) writeSync(handle, Buffer.alloc(BLOCK_BYTES));
  } catch (error) {
    if (!isErrorCode(error, "ENOSPC")) throw error;
  } finally {
    closeSync(handle);
  }
}

function mount(directory: string): boolean {
  return call("mount", ["-t", "tmpfs", "-o", SIZE, "tmpfs", directory]).status === 0;
}

/** Lazy, since a timer may still have its log open there. */
function unmount(directory: string): void {
  run("umount", ["--lazy", directory]);
}

function run(program: string, arguments_: readonly string[]): void {
  const { status, stderr } = call(program, arguments_);
  if (status !== 0) throw new Error(`${program} ${arguments_.join(" ")}: ${stderr}`);
}

function call(program: string, arguments_: readonly string[]) {
  return spawnSync(program, arguments_, { encoding: "utf8" });
}
