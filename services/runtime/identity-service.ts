import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { IdentityService, Source } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import type { ProxyTrust } from "./client-identity.ts";
import { derive } from "./client-ip.ts";
import type { RunningWith } from "./config-hash.ts";
import { peerKey } from "./peer.ts";
import { isProbeNonce } from "./probe.ts";
import type { ProbeFindings, ProbeMemory } from "./probe-memory.ts";

/** What a service reports to the operator about itself, beside the derived address. */
export type IdentityOptions = {
  trust: ProxyTrust;
  /** Unset in a service that no proxy forwards to. */
  probes?: ProbeMemory;
  failureMode: () => string;
  /** The store of the limits that it relies on. */
  backend: string;
  configHash: string;
  runningWith: RunningWith;
};

/**
 * Serves IdentityService, to the operator alone, with the derivation that the limits use. It counts
 * nothing in metrics: the operator calls each service directly, past the proxies, and is no
 * doubtful client.
 */
export function identityRoutes(router: ConnectRouter, options: IdentityOptions): void {
  const { trust } = options;
  const { release, policiesHash } = options.runningWith;
  router.service(IdentityService, {
    whoIsCalling(request, context) {
      const { remote, forwardedLines } = context.values.get(peerKey);
      const findings =
        request.probe === undefined ? undefined : getFindings(options.probes, request.probe);
      const client =
        findings?.client ?? derive(remote, forwardedLines, trust.hops, trust.trustedProxies);
      return {
        address: client.ip,
        source: client.class === "forwarded" ? Source.FORWARDED : Source.SOCKET,
        warning: client.warning ?? "",
        hops: trust.hops,
        entries: client.entries,
        failureMode: options.failureMode(),
        configHash: options.configHash,
        version: release.version,
        revision: release.revision,
        ...(request.withSettings ? { settings: { backend: options.backend, policiesHash } } : {}),
        ...(findings === undefined ? {} : { findings: { byHops: [...findings.byHops] } }),
      };
    },
  });
}

function getFindings(probes: ProbeMemory | undefined, nonce: string): ProbeFindings {
  if (!isProbeNonce(nonce)) {
    throw new ConnectError("probe must be 32 hexadecimal digits", Code.InvalidArgument);
  }
  const findings = probes?.find(nonce);
  if (findings !== undefined) return findings;
  throw new ConnectError("no request with this probe was seen", Code.NotFound);
}
