import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { PublishService } from "../../gen/portcullis/realtime/v1/realtime_pb.ts";

export type DemoPublisher = {
  /** Settles once the gateway has accepted one update of each datasource. */
  started: Promise<void>;
  stop(): void;
};

/** Often enough to look alive, seldom enough to read. */
const INTERVAL_MS = 400;
const PUBLISH_TIMEOUT_MS = 1_000;
const DATASOURCES = ["demo", "demo-private"];

/**
 * Publishes made-up measurements to the demo datasources with the publisher's token, as a service
 * would. Updates are lost while the gateway is down; publishing continues afterwards.
 */
export function startDemoPublisher(options: { gatewayUrl: string; token: string }): DemoPublisher {
  const client = createClient(
    PublishService,
    createConnectTransport({
      baseUrl: options.gatewayUrl,
      httpVersion: "1.1",
      defaultTimeoutMs: PUBLISH_TIMEOUT_MS,
      interceptors: [
        (next) => async (request) => {
          request.header.set("authorization", `Bearer ${options.token}`);
          return await next(request);
        },
      ],
    }),
  );
  const stopping = new AbortController();
  const { signal } = stopping;
  const publishAll = async (measurement: Measurement) => {
    const jsonText = JSON.stringify(measurement);
    for (const datasource of DATASOURCES) {
      await client.publish({ datasource, jsonText }, { signal });
    }
  };
  const run = async (onTaken: () => void) => {
    let measurement: Measurement = { sequence: 0, requestsPerSecond: 1_200, rejectedPercent: 2 };
    while (!signal.aborted) {
      measurement = nextMeasurement(measurement, Math.random() - 0.5);
      // A lost update is not retried: the next one replaces it.
      await publishAll(measurement).then(onTaken, () => undefined);
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const started = new Promise<void>((resolve) => void run(resolve));
  return { started, stop: () => stopping.abort() };
}

type Measurement = { sequence: number; requestsPerSecond: number; rejectedPercent: number };

/** Each step drifts a little, within plausible bounds. */
function nextMeasurement(last: Measurement, drift: number): Measurement {
  const within = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);
  return {
    sequence: last.sequence + 1,
    requestsPerSecond: Math.round(within(last.requestsPerSecond + drift * 120, 400, 2_400)),
    rejectedPercent: Math.round(within(last.rejectedPercent + drift, 0, 9) * 10) / 10,
  };
}
