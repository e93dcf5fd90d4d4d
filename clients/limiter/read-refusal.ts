import { Code, ConnectError } from "@connectrpc/connect";
import type { Refusal } from "./verdict.ts";

const CODES: ReadonlyMap<Code, Refusal["code"]> = new Map([
  [Code.InvalidArgument, "invalid_argument"],
  [Code.NotFound, "not_found"],
]);

/** Where the limiter found it: a request of a batch, a bucket of a request, and its field. */
const PLACE = /^(?:requests\[\d+\]\.)?(?:buckets\[\d+\]\.)?(\w+): (.*)$/s;

/** What the limiter finds wrong with the request itself; undefined for every other failure. */
export function readRefusal(thrown: unknown): Refusal | undefined {
  const error = ConnectError.from(thrown, Code.Internal);
  const code = CODES.get(error.code);
  // One without a field is not about a bucket: it is no word of the limiter about this request.
  const [, field, problem] = PLACE.exec(error.rawMessage) ?? [];
  if (code === undefined || field === undefined || problem === undefined) return undefined;
  return { code, field, problem };
}
