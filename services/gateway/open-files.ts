/** How many descriptors this process may have open; `Infinity` where there is no limit. */
export function readOpenFilesMax(): number {
  if (process.report === undefined) return Number.POSITIVE_INFINITY;
  // Otherwise the report asks a name server about every open socket.
  Reflect.set(process.report, "excludeNetwork", true);
  const report: unknown = process.report.getReport();
  const soft = fieldOf(fieldOf(fieldOf(report, "userLimits"), "open_files"), "soft");
  return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
