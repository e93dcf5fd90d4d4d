/** Every metric of a gate that comes from a service; what Prometheus makes itself has no track. */
const METRIC = /\b((?:portcullis|rpc|nodejs|v8js|process)_[a-z0-9_]+|target_info)\b(\{)?/g;

/** Names that are labels where they stand, not metrics. */
const LABELS = new Set(["rpc_method", "rpc_response_status_code"]);

/** Narrows PromQL to the targets of one track, as `track` says which share of the traffic they serve. */
export function onTrack(promql: string, track: string): string {
  const matcher = `track=${JSON.stringify(track)}`;
  return promql.replace(METRIC, (found, metric: string, brace: string | undefined) => {
    if (LABELS.has(metric)) return found;
    return brace === undefined ? `${metric}{${matcher}}` : `${metric}{${matcher},`;
  });
}
