import { metrics } from "@opentelemetry/api";

/** Shows on every scrape under which configuration a service runs, without revealing any of it. */
export function announceConfig(service: string, hops: number, hash: string): void {
  metrics
    .getMeter("portcullis.runtime")
    .createObservableGauge("portcullis.config.info", {
      description: "1, with the trusted hops and the hash of the non-secret configuration",
    })
    .addCallback((result) => result.observe(1, { service, hops: String(hops), hash }));
}
