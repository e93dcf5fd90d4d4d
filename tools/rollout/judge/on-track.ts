/** Metrics that services export; those that Prometheus makes itself have no label `track`. */
const METRIC = /\b((?:portcullis|rpc|nodejs|v8js|process)_[a-z0-9_]+|target_info)\b(\{)?/g;

/** Names of labels that look like metrics. */
const LABELS = new Set(["rpc_method", "rpc_response_status_code"]);

/** Narrows PromQL to the targets whose label `track` has this value. */
export function onTrack(promql: string, track: string): string {
  const matcher = `track=${JSON.stringify(track)}`;
  return promql.replace(METRIC, (found, metric: string, brace: string | undefined) => {
    if (LABELS.has(metric)) return found;
    return brace === undefined ? `${metric}{${matcher}}` : `${metric}{${matcher},`;
  });
}
