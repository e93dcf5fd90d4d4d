import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BoundedWarning } from "../../services/runtime/bounded-warning.ts";
import { createBoundedLane } from "./bounded-lane.ts";
import type { LimiterClient } from "./limiter-client.ts";

/** More refunds in flight than there are logins that are checked at the same time. */
const REFUNDS = { callsMax: 8, waitingMax: 1_000 };
/** Each call carries up to a thousand leases, so a few calls in flight keep up with any number. */
const EXTENSIONS = { callsMax: 2, waitingMax: 100 };
const RELEASES = { callsMax: 4, waitingMax: 100 };

/**
 * Creates the calls that follow decisions: refunds, and the extension and release of leases. Each
 * kind has a lane of its own, so that it neither delays decisions nor waits for them.
 */
export function createBackgroundCalls(options: {
  client: Client<typeof LimiterService>;
  timeoutMs: number;
  surface: string;
  warn: BoundedWarning;
}): Pick<LimiterClient, "refund" | "extend" | "release"> {
  const { client, timeoutMs, surface, warn } = options;
  const waitMsMax = timeoutMs / 2;
  const refunds = createBoundedLane({ ...REFUNDS, waitMsMax });
  const extensions = createBoundedLane({ ...EXTENSIONS, waitMsMax });
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

    async extend(leaseIds, ttlMs) {
      try {
        const request = { leaseIds: [...leaseIds], ttl: durationFromMs(ttlMs) };
        return (await extensions.run(() => client.renew(request, { timeoutMs }))).lost;
      } catch (error) {
        warn("extend", "leases could not be extended", { err: error, surface });
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
