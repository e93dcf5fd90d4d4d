import { failed, passed } from "../../edge/probe/check.ts";
import type { ServiceName } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import { queryPrometheus } from "./query-prometheus.ts";
import { failureModeGate } from "./watchlist.ts";

/**
 * Whether any replica fails open. Asks the metrics, since an address behind a load balancer answers
 * for one replica only. Returns no check without metrics: only the canary requires them.
 */
export async function checkReplicas(options: {
  prometheusUrl: string | undefined;
  failOpen: readonly ServiceName[];
  signal?: AbortSignal | undefined;
}): Promise<Check[]> {
  const { prometheusUrl, failOpen, signal } = options;
  if (prometheusUrl === undefined) return [];
  const { title, why, mend, last } = failureModeGate(failOpen);
  const answer = await queryPrometheus(prometheusUrl, last, new Date(), signal);
  if (answer.kind !== "value") return [];
  const subject = { id: "failure-mode.replicas", title: `${title}, among all replicas`, why };
  return [answer.value > 0 ? failed(subject, "at least one", mend) : passed(subject, "none")];
}
