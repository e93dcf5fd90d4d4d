import { readdir } from "node:fs/promises";
import { metrics } from "@opentelemetry/api";

/** On Linux and macOS alike, the folder of the descriptors of whoever looks. */
const DESCRIPTORS = "/dev/fd";

/** Observes what the runtime's own instrumentation does not: open descriptors, a leak's first sign. */
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
