import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A separate disk for the data of Postgres, which can hang. */
export type Disk = {
  directory: string;
  /** Blocks every write from now on. */
  freeze(): void;
  thaw(): void;
  unmount(): void;
};

const SIZE_BYTES = 768 * 1024 * 1024;

/** Returns undefined if we may not mount a disk: that needs root and a loop device. */
export function mountDisk(): Disk | undefined {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-siege-disk-"));
  const image = join(folder, "image");
  const directory = join(folder, "disk");
  mkdirSync(directory);
  const handle = openSync(image, "w");
  ftruncateSync(handle, SIZE_BYTES);
  closeSync(handle);
  const isMounted =
    succeeds("mkfs.ext4", ["-q", "-O", "^has_journal", image]) &&
    succeeds("mount", ["-o", "loop", image, directory]);
  if (!isMounted) {
    rmSync(folder, { recursive: true });
    if (process.env["CI"] === "true") throw new Error("a stalled disk needs root, to mount one");
    return undefined;
  }
  let isFrozen = false;
  const thaw = () => {
    if (isFrozen) succeeds("fsfreeze", ["--unfreeze", directory]);
    isFrozen = false;
  };
  // A process that writes to a frozen disk cannot be killed.
  const abandon = () => {
    thaw();
    succeeds("umount", ["--lazy", directory]);
  };
  process.once("exit", abandon);
  return {
    directory,
    freeze() {
      if (!succeeds("fsfreeze", ["--freeze", directory])) throw new Error("the disk cannot hang");
      isFrozen = true;
    },
    thaw,
    unmount() {
      thaw();
      process.off("exit", abandon);
      succeeds("umount", [directory]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function succeeds(program: string, arguments_: readonly string[]): boolean {
  return spawnSync(program, arguments_, { stdio: "ignore" }).status === 0;
}
