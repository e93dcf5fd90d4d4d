/** The usual limit of untuned systems, for platforms that report none. */
const DESCRIPTORS_DEFAULT = 1_024;

/**
 * How many files and sockets this process may have open at once. Call it at startup: the report
 * that it reads also describes every open connection.
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
