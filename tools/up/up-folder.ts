import { lstatSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { ensureNoForeignLink } from "../trust/trusted-path.ts";
import {
  canOthersWrite,
  describe,
  isTrustedOwner,
  ownUserId,
  quote,
  UntrustedPlaceError,
} from "../trust/untrusted-place.ts";

/**
 * Creates the folder of `npm start`. Throws if another user could have changed what is started from
 * it: the folder belongs to another user, is writable by others, or is behind a link of theirs.
 */
export async function makeUpFolder(folder: string): Promise<void> {
  const real = ensureNoForeignLink(folder);
  await mkdir(real, { recursive: true });
  const stats = lstatSync(real);
  const mends = [
    ...(isTrustedOwner(stats.uid) ? [] : [`chown ${ownUserId()} ${quote(real)}`]),
    ...(canOthersWrite(stats) ? [`chmod go-w ${quote(real)}`] : []),
  ];
  if (stats.isDirectory() && mends.length === 0) return;
  const mend = mends.length > 0 ? mends.join(" && ") : `rm ${quote(real)}`;
  throw new UntrustedPlaceError(
    `PORTCULLIS_DIR: ${real} is not used (${describe(stats)}): others could have put something into it; look what is in it, then: ${mend}`,
  );
}
