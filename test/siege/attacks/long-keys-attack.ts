import { TOKENS } from "../../fixtures/services.ts";
import type { Attack } from "../attack.ts";
import { createHttpCaller, problemOf } from "../http-call.ts";
import { type Load, repeatInputs } from "../load.ts";

/** The longest key that the limiter accepts. */
const KEY_LENGTH = 512;
const REQUESTS_PER_CALL = 500;
/** Ten keys per input of a fuzzer, in batched calls. */
const INPUTS_PER_CALL = 50;
/** Calls in flight, as of one busy service. */
const AT_ONCE = 4;
const ANSWER_TIMEOUT_MS = 20_000;
const MEBIBYTE = 1024 * 1024;

/** Fills every cache of a limiter with little memory. */
export const LONG_KEYS_ATTACK: Attack = {
  name: "long-keys",
  title: "distinct keys of 512 bytes under a service token, in a limiter with a small heap",
  holdsFromSharedAddress: false,
  needs: "second-limiter",
  isCounted: true,
  run: async (load) =>
    await repeatInputs(
      { ...load, inputs: load.inputs / INPUTS_PER_CALL },
      AT_ONCE,
      async (round) => await consumeMany(load, round),
    ),
  bounds: {
    // The caches are meant to fill; the heap is the bound.
    liveGrowthBytesMax: 200 * MEBIBYTE,
    rssGrowthBytesMax: 420 * MEBIBYTE,
  },
};

async function consumeMany(load: Load, round: number): Promise<void> {
  if (load.secondLimiter === undefined || load.signal.aborted) return;
  const http = createHttpCaller({
    localAddress: load.localAddress,
    socketsMax: 1,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  const requests = Array.from({ length: REQUESTS_PER_CALL }, (_, index) => {
    const key = `${round}-${index}-`.padEnd(KEY_LENGTH, "k");
    return { buckets: [{ policy: "login.account", key }] };
  });
  const url = `${load.secondLimiter}/portcullis.limiter.v1.LimiterService/ConsumeBatch`;
  const outcome = await http
    .call(url, {
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKENS.operator}` },
      body: JSON.stringify({ requests }),
    })
    .then(({ status }) => String(status), problemOf);
  http.close();
  load.count(`batch of ${REQUESTS_PER_CALL}: ${outcome}`);
}
