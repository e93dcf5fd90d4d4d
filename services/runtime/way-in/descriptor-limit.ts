/** Where the platform tells nothing: what systems that are not tuned give a process at least. */
const DESCRIPTORS_DEFAULT = 1_024;

/**
 * How many files and sockets this process may have open at once. To be called at the start: the
 * report that tells it also describes every open connection.
 */
export function readDescriptorLimit(): number {
  const report: unknown = process.report?.getReport();
  const soft = fieldOf(fieldOf(fieldOf(report, "userLimits"), "open_files"), "soft");
  if (soft === "unlimited") return Number.POSITIVE_INFINITY;
  return Number(soft) > 0 ? Number(soft) : DESCRIPTORS_DEFAULT;
}

function fieldOf(value: unknown, name: string): unknown {
  const isRecord = typeof value === "object" && value !== null;
  return isRecord ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}
