import { readdir } from "node:fs/promises";
import { metrics } from "@opentelemetry/api";

/** On Linux and macOS, lists the descriptors of the process that reads it. */
const DESCRIPTORS = "/dev/fd";

/** Observes open descriptors, the first sign of a leak. The runtime instrumentation omits them. */
export function observeProcess(): void {
  metrics
    .getMeter("portcullis.runtime")
    .createObservableGauge("process.open_file_descriptors", {
      description: "Open file descriptors",
      unit: "{file_descriptor}",
    })
    .addCallback(async (result) => {
      const descriptors = await readdir(DESCRIPTORS).catch(() => []);
      result.observe(descriptors.length);
    });
}
