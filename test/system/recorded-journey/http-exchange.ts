import { request } from "node:http";
import { buffer } from "node:stream/consumers";

/** A request exactly as it is sent: only the host and the length are added. */
export type WireRequest = {
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  body: string | Uint8Array;
};

export type WireAnswer = {
  status: number;
  /** By lower-case name, sorted. */
  headers: readonly (readonly [string, string])[];
  body: Buffer;
};

/** The longest wait for an answer. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Sends one request on a new connection and reads the whole answer. */
export async function exchange({ url, method, headers, body }: WireRequest): Promise<WireAnswer> {
  return await new Promise((resolve, reject) => {
    const length = body.length === 0 ? {} : { "content-length": Buffer.byteLength(body) };
    const options = {
      method,
      headers: { ...length, ...headers },
      agent: false,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    };
    const sent = request(url, options, (response) => {
      const pairs = Object.entries(response.headersDistinct).map(
        ([name, values = []]) => [name, values.join(", ")] as const,
      );
      const sorted = pairs.sort(([a], [b]) => (a < b ? -1 : 1));
      const status = response.statusCode ?? 0;
      buffer(response).then((bytes) => resolve({ status, headers: sorted, body: bytes }), reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
