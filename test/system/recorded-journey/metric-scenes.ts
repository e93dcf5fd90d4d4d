import type { Recorder } from "./recorder.ts";

/** Node's own metrics differ between its versions. */
const OURS = /^(?:portcullis|rpc|http|db)_/;

/** Records our own metrics on a scrape, with their types and the names of their labels. */
export async function recordMetricNames(recorder: Recorder, metricsUrl: string): Promise<void> {
  const text = await (await fetch(metricsUrl)).text();
  recorder.write("Metrics", namesIn(text));
}

function namesIn(text: string): string[] {
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    const type = /^# TYPE (\S+ \S+)$/.exec(line)?.[1];
    const [, name = "", labels = ""] = /^(\w+)(?:\{(.*)\})? \S+/.exec(line) ?? [];
    const labelNames = [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label]) => label);
    const found = type ?? `${name}{${labelNames.sort().join(",")}}`;
    if (OURS.test(found)) names.add(found);
  }
  return [...names].sort();
}
