import { isMap, isScalar, isSeq, type LineCounter, type YAMLMap } from "yaml";
import type { Finding, Rule } from "../finding.ts";

/** Makes findings about nodes of one file. */
export type Report = (node: unknown, rule: Rule, message: string, mend: string) => Finding;

export function createReport(file: string, lines: LineCounter): Report {
  return (node, rule, message, mend) => {
    const range = isMap(node) || isSeq(node) || isScalar(node) ? node.range : undefined;
    const line = range ? lines.linePos(range[0]).line : 1;
    return { file, line, rule, message, mend };
  };
}

/** A field's text; empty where it is absent or no scalar. */
export function readText(map: YAMLMap, field: string): string {
  const value = map.get(field);
  return value === undefined || value === null || isMap(value) || isSeq(value) ? "" : String(value);
}

/** A field that is a map. */
export function readMap(map: YAMLMap | undefined, field: string): YAMLMap | undefined {
  const value = map?.get(field);
  return isMap(value) ? value : undefined;
}

/** The maps in a field that is a list. */
export function readMaps(map: YAMLMap | undefined, field: string): YAMLMap[] {
  const value = map?.get(field);
  return isSeq(value) ? value.items.filter((item) => isMap(item)) : [];
}

/** The texts in a field that is a list. */
export function readTexts(map: YAMLMap | undefined, field: string): string[] {
  const value = map?.get(field);
  const items = isSeq(value) ? value.items : [];
  return items.flatMap((item) => (isScalar(item) ? [String(item.value)] : []));
}

/** Where to point at for a field: at its value, or else at what should hold it. */
export function nodeOf(map: YAMLMap, field: string): unknown {
  return map.get(field, true) ?? map;
}
