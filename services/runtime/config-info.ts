import { metrics } from "@opentelemetry/api";
import type { Release } from "./release.ts";

/** Exports the trusted hops and the hash of a service's configuration as a metric. */
export function announceConfig(service: string, hops: number, hash: string): void {
  announce("portcullis.config.info", "1, with the trusted hops and the hash of the configuration", {
    service,
    hops: String(hops),
    hash,
  });
}

/** Exports the release that a service runs as a metric. */
export function announceRelease(service: string, { version, revision }: Release): void {
  announce("portcullis.build.info", "1, with the version and the revision that run", {
    service,
    version,
    revision,
  });
}

function announce(name: string, description: string, labels: Readonly<Record<string, string>>) {
  metrics
    .getMeter("portcullis.runtime")
    .createObservableGauge(name, { description })
    .addCallback((result) => result.observe(1, labels));
}
