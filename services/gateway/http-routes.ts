import type { ProbeMemory } from "../runtime/probe-memory.ts";
import type { RealtimeEvents } from "./events.ts";
import { checkHandshake } from "./handshake.ts";
import { jsonAnswer, sendAnswer } from "./http-answer.ts";
import { observeProbe } from "./observe-probe.ts";
import { copyRequest, type TemplatedApp } from "./uws.ts";
import { REALTIME_PATH, refusalAnswer } from "./websocket-route.ts";

/** Serves bare liveness, and says what is wrong with everything that is not a route. */
export function addHttpRoutes(
  app: TemplatedApp,
  options: {
    allowedOrigins: ReadonlySet<string>;
    events: Pick<RealtimeEvents, "upgraded" | "refused">;
    probes: ProbeMemory;
  },
): void {
  const { allowedOrigins, events, probes } = options;
  app.get("/healthz", (response) => {
    sendAnswer(response, jsonAnswer(200, { status: "alive" }));
  });
  app.any("/*", (response, request) => {
    const copied = copyRequest(response, request);
    const { path, headers } = copied;
    observeProbe(probes, copied);
    if (path !== REALTIME_PATH) {
      return sendAnswer(response, jsonAnswer(404, { code: "not_found", message: "not found" }));
    }
    // The library passes on only what has a key of the right length; the rest ends up here.
    const handshake = checkHandshake(headers, allowedOrigins);
    const refusal =
      handshake.kind === "refused"
        ? handshake
        : { kind: "refused" as const, status: 400 as const, message: "use GET" };
    events.upgraded("invalid");
    events.refused(refusal.status);
    sendAnswer(response, refusalAnswer({ ...refusal, result: "invalid" }));
  });
}
