import { metrics } from "@opentelemetry/api";
import { STEPS, type Step } from "./way-in/refusal.ts";

/** The counters of a door. */
export type DoorEvents = {
  /** A request, or a connection, was refused at a step of the way in. */
  refused(step: Step, count?: number): void;
};

export function createDoorEvents(
  door: string,
  observed: { inFlight: () => number; connections: () => number },
): DoorEvents {
  const meter = metrics.getMeter("portcullis.door");
  const refused = meter.createCounter("portcullis.door.refused", {
    description: "Requests and connections refused on the way in, by step",
  });
  for (const step of STEPS) refused.add(0, { door, step });
  meter
    .createObservableGauge("portcullis.door.in_flight", {
      description: "Requests that are being read or handled",
    })
    .addCallback((result) => result.observe(observed.inFlight(), { door }));
  meter
    .createObservableGauge("portcullis.door.connections", { description: "Open connections" })
    .addCallback((result) => result.observe(observed.connections(), { door }));
  return { refused: (step, count = 1) => refused.add(count, { door, step }) };
}
