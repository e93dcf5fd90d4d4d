/** A quantile of a histogram over Grafana's rate interval. */
export function quantile(q: number, metric: string, by: string, selector = ""): string {
  const labels = by === "" ? "le" : `le, ${by}`;
  const rate = `rate(${metric}_bucket{${selector}}[$__rate_interval])`;
  return `histogram_quantile(${q}, sum by (${labels}) (${rate}))`;
}

/** Events per second, summed by labels. */
export function rate(metric: string, by: string, selector = ""): string {
  const sum = by === "" ? "sum" : `sum by (${by})`;
  return `${sum} (rate(${metric}{${selector}}[$__rate_interval]))`;
}
