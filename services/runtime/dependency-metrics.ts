import { metrics } from "@opentelemetry/api";

/** Exports the state of a door's dependencies, as its health route reports it, as a gauge. */
export function observeDependencies(
  door: string,
  dependencies: () => Readonly<Record<string, string>>,
): void {
  metrics
    .getMeter("portcullis.dependency")
    .createObservableGauge("portcullis.dependency.up", {
      description: "1 while a dependency answers, 0 while it does not",
    })
    .addCallback((result) => {
      for (const [dependency, state] of Object.entries(dependencies())) {
        result.observe(state === "ok" ? 1 : 0, { door, dependency });
      }
    });
}
