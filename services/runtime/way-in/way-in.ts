import type { IncomingMessage, ServerResponse } from "node:http";
import { type Credentials, findCaller } from "../caller.ts";
import type { ProxyTrust } from "../client-identity.ts";
import { derive } from "../client-ip.ts";
import type { Clock } from "../clock.ts";
import { formatIpAddress, maskIpAddress, parseIpAddress } from "../ip-address.ts";
import { type Peer, peerOf } from "../peer.ts";
import { BodyMemory } from "./body-memory.ts";
import { Deadlines } from "./deadlines.ts";
import { decompress, ENCODINGS, isKnownEncoding } from "./decompress.ts";
import { BODIES_BYTES_MAX, BODY_TIMEOUT_MS, HEAD_LINES_MAX, IN_FLIGHT } from "./door-bounds.ts";
import { FailedTries } from "./failed-tries.ts";
import { InFlight } from "./in-flight.ts";
import { type ReadBody, readBody } from "./read-body.ts";
import * as refusals from "./refusal.ts";
import type { RoutePolicy } from "./route-policy.ts";

/** An admitted request. */
export type Passed = {
  kind: "passed";
  /** The service that calls; empty for a stranger. */
  caller: string;
  peer: Peer;
  /** The whole body, decompressed. */
  body: Buffer;
  /** Releases the request's share and memory. Call it once the request was handled. */
  release: () => void;
};

export type Verdict =
  | Passed
  | { kind: "refused"; refusal: refusals.Refusal }
  /** The client disconnected. */
  | { kind: "gone" };

/** Who sent a request, according to its head. */
type Sender = Pick<Passed, "caller" | "peer">;

export type WayInOptions = {
  callers: Credentials;
  trust: ProxyTrust;
  clock: Clock;
  /** The status for a caller or an address over its own share. */
  overShareStatus: 429 | 503;
};

/** A stranger can use any address of its IPv6 network, so the network has one share. */
const IPV6_PREFIX_BITS = 64;

/**
 * Admits the requests of a door. It finds the caller from the head alone, takes a place from the
 * share of that caller or address, and only then reads the body.
 */
export class WayIn {
  readonly #options: WayInOptions;
  readonly #inFlight = new InFlight(IN_FLIGHT);
  readonly #memory = new BodyMemory(BODIES_BYTES_MAX);
  readonly #bodies = new Deadlines(BODY_TIMEOUT_MS);
  readonly #tries = new FailedTries();

  constructor(options: WayInOptions) {
    this.#options = options;
  }

  /** Requests that are being read or handled. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  async pass(
    request: IncomingMessage,
    response: ServerResponse,
    policy: RoutePolicy,
  ): Promise<Verdict> {
    if (request.rawHeaders.length > 2 * HEAD_LINES_MAX) {
      return refuse(refusals.tooManyHeaderLines(HEAD_LINES_MAX));
    }
    const caller = findCaller(request.headers.authorization, this.#options.callers) ?? "";
    const peer = peerOf(request);
    const refusal = this.#findCallerRefusal(request, policy, { caller, peer });
    if (refusal !== undefined) return refuse(refusal);
    const share =
      caller === ""
        ? this.#inFlight.take("address", this.#addressOf(peer))
        : this.#inFlight.take("caller", caller);
    if (share.kind === "door-full") return refuse(refusals.shareInUse(503));
    if (share.kind === "share-full") {
      return refuse(refusals.shareInUse(this.#options.overShareStatus));
    }
    const verdict = await this.#read(request, response, policy, { caller, peer });
    if (verdict.kind !== "passed") {
      share.release();
      return verdict;
    }
    const release = () => {
      verdict.release();
      share.release();
    };
    return { ...verdict, release };
  }

  #findCallerRefusal(
    request: IncomingMessage,
    { callers, others = "forbidden" }: RoutePolicy,
    { caller, peer }: Sender,
  ): refusals.Refusal | undefined {
    if (callers === "anyone" || callers.includes(caller)) return undefined;
    if (caller !== "" && others === "forbidden") return refusals.wrongCaller(caller);
    const { clock, overShareStatus } = this.#options;
    const isShown = request.headers.authorization !== undefined;
    const isTry = isShown && caller === "" && overShareStatus === 429;
    const waitMs = isTry ? this.#tries.add(this.#addressOf(peer), clock.nowMs()) : 0;
    return waitMs > 0 ? refusals.tooManyTries(waitMs) : refusals.unknownCaller();
  }

  /** The derived address of a client; of an IPv6 client, its network. */
  #addressOf({ remote, forwardedLines }: Peer): string {
    const { hops, trustedProxies } = this.#options.trust;
    const { ip } = derive(remote, forwardedLines, hops, trustedProxies);
    const address = ip.includes(":") ? parseIpAddress(ip) : undefined;
    return address === undefined ? ip : formatIpAddress(maskIpAddress(address, IPV6_PREFIX_BITS));
  }

  async #read(
    request: IncomingMessage,
    response: ServerResponse,
    policy: RoutePolicy,
    sender: Sender,
  ): Promise<Verdict> {
    const { bodyBytesMax } = policy;
    const { headers } = request;
    if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
      request.resume();
      return { kind: "passed", ...sender, body: NOTHING, release: () => undefined };
    }
    if (Number(headers["content-length"] ?? 0) > bodyBytesMax) {
      return refuse(refusals.tooLarge(bodyBytesMax));
    }
    const encoding = headers["content-encoding"] ?? "identity";
    const isCompressed = encoding !== "identity";
    if (isCompressed) {
      if (sender.caller === "") {
        return refuse(refusals.cannotDecompress("content-encoding: is for known callers only"));
      }
      if (!isKnownEncoding(encoding)) {
        const message = `content-encoding: must be ${ENCODINGS.join(" or ")}`;
        return refuse(refusals.cannotDecompress(message));
      }
    }
    if (headers.expect !== undefined) response.writeContinue();
    const bounds = { bytesMax: bodyBytesMax, deadlines: this.#bodies, memory: this.#memory };
    const read = await readBody(request, bounds);
    const verdict = verdictOf(read, bodyBytesMax, sender);
    if (verdict.kind !== "passed" || !isCompressed) return verdict;
    return await this.#decompress(verdict, encoding, bodyBytesMax);
  }

  async #decompress(passed: Passed, encoding: string, bytesMax: number): Promise<Verdict> {
    if (!this.#memory.take(bytesMax)) {
      passed.release();
      return refuse(refusals.bodiesFull());
    }
    const result = await decompress(passed.body, encoding, bytesMax);
    passed.release();
    const release = () => this.#memory.give(bytesMax);
    if (result.kind === "decompressed") return { ...passed, body: result.bytes, release };
    release();
    return refuse(
      result.kind === "too-large"
        ? refusals.tooLarge(bytesMax)
        : refusals.badMessage(`body: is not ${encoding}`),
    );
  }
}

const NOTHING = Buffer.alloc(0);

function verdictOf(read: ReadBody, bytesMax: number, sender: Sender): Verdict {
  switch (read.kind) {
    case "read":
      return { kind: "passed", ...sender, body: read.bytes, release: read.release };
    case "too-large":
      return refuse(refusals.tooLarge(bytesMax));
    case "in-crumbs":
      return refuse(refusals.inCrumbs());
    case "timed-out":
      return refuse(refusals.bodyTimedOut(BODY_TIMEOUT_MS));
    case "no-memory":
      return refuse(refusals.bodiesFull());
    case "gone":
      return { kind: "gone" };
  }
}

function refuse(refusal: refusals.Refusal): Verdict {
  return { kind: "refused", refusal };
}
