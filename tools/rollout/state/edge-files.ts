import { createHash } from "node:crypto";
import * as z from "zod";
import { readGivenBytes } from "../files/given-file.ts";
import type { Check } from "../terms/verdict.ts";

/** A file that configures the edge, and what it held; null where it could not be read. */
export type EdgeFile = { file: string; digest: string | null };

export const edgeFileSchema: z.ZodType<EdgeFile> = z.object({
  file: z.string(),
  digest: z.string().nullable(),
});

const DIGEST_CHARACTERS = 16;

/** Names what the edge's files hold. A proxy cannot be asked what it runs with. */
export async function readEdgeFiles(files: readonly string[]): Promise<EdgeFile[]> {
  return await Promise.all(
    files.map(async (file) => {
      const bytes = await readGivenBytes(file).catch(() => undefined);
      const digest = bytes && createHash("sha256").update(bytes).digest("hex");
      return { file, digest: digest?.slice(0, DIGEST_CHARACTERS) ?? null };
    }),
  );
}

/** Judges whether every file holds what it held; one that was not there then has no say. */
export function judgeEdgeFiles(
  id: "edge.untouched" | "edge.restored",
  before: readonly EdgeFile[],
  after: readonly EdgeFile[],
  when: string,
): Check {
  const known = before.filter(({ digest }) => digest !== null);
  const changed = known.filter(({ file, digest }) => {
    return after.find((other) => other.file === file)?.digest !== digest;
  });
  const isSame = changed.length === 0;
  return {
    id,
    title: `The edge's files, compared with ${when}`,
    verdict: isSame ? "pass" : "fail",
    observed: isSame
      ? `${known.length} unchanged`
      : `changed: ${changed.map(({ file }) => file).join(", ")}`,
    why: "An edge that changes beside its stage cannot be judged, nor taken back exactly.",
    mend: isSame ? "" : "Find out who changed them, and put them back as they were.",
  };
}
