import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BoundedWarning } from "../../services/runtime/bounded-warning.ts";
import { createBoundedLane } from "./bounded-lane.ts";
import type { LimiterClient } from "./verdict.ts";

/** Refunds under way at once: more than the logins that are checked at the same time. */
const REFUNDS = { callsMax: 8, waitingMax: 1_000 };
/** Each call carries up to a thousand leases, so that a few calls keep up with any number. */
const RENEWALS = { callsMax: 2, waitingMax: 100 };
const RELEASES = { callsMax: 4, waitingMax: 100 };

/**
 * What follows decisions: refunds, and the renewal and release of leases. Each kind has calls of
 * its own, so that it neither waits for decisions nor takes their place.
 */
export function createBackgroundCalls(options: {
  client: Client<typeof LimiterService>;
  timeoutMs: number;
  surface: string;
  warn: BoundedWarning;
}): Pick<LimiterClient, "refund" | "renew" | "release"> {
  const { client, timeoutMs, surface, warn } = options;
  const waitMsMax = timeoutMs / 2;
  const refunds = createBoundedLane({ ...REFUNDS, waitMsMax });
  const renewals = createBoundedLane({ ...RENEWALS, waitMsMax });
  const releases = createBoundedLane({ ...RELEASES, waitMsMax });

  return {
    async refund(receipt, policies = []) {
      try {
        const request = { receipt, policies: [...policies] };
        return (await refunds.run(() => client.refund(request, { timeoutMs }))).refunded;
      } catch (error) {
        warn("refund", "a refund could not be made; the charge stays", { err: error, surface });
        return false;
      }
    },

    async renew(leaseIds, ttlMs) {
      try {
        const request = { leaseIds: [...leaseIds], ttl: durationFromMs(ttlMs) };
        return (await renewals.run(() => client.renew(request, { timeoutMs }))).lost;
      } catch (error) {
        warn("renew", "leases could not be renewed", { err: error, surface });
        return undefined;
      }
    },

    async release(leaseIds) {
      try {
        await releases.run(() => client.release({ leaseIds: [...leaseIds] }, { timeoutMs }));
        return true;
      } catch (error) {
        const text = "leases could not be released; they end by themselves";
        warn("release", text, { err: error, surface });
        return false;
      }
    },
  };
}
