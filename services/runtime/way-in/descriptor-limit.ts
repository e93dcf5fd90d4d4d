/** Where the platform tells nothing: what systems that are not tuned give a process at least. */
const DESCRIPTORS_DEFAULT = 1_024;

/**
 * How many files and sockets this process may have open at once. To be called at the start: the
 * report that tells it also describes every open connection.
 */
export function readDescriptorLimit(): number {
  const report = process.report?.getReport() as Report | undefined;
  const soft = report?.userLimits?.["open_files"]?.soft ?? DESCRIPTORS_DEFAULT;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

type Report = { userLimits?: Readonly<Record<string, { soft?: number | string }>> };
