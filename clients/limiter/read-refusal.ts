import { Code, ConnectError } from "@connectrpc/connect";
import type { Refusal } from "./verdict.ts";

const CODES: ReadonlyMap<Code, Refusal["code"]> = new Map([
  [Code.InvalidArgument, "invalid_argument"],
  [Code.NotFound, "not_found"],
]);

/** The prefix of a message: a request of a batch, a bucket of the request, and the field. */
const PLACE = /^(?:requests\[\d+\]\.)?(?:buckets\[\d+\]\.)?(\w+): (.*)$/s;

/** Reads what is wrong with the request itself; undefined for every other failure. */
export function readRefusal(thrown: unknown): Refusal | undefined {
  const error = ConnectError.from(thrown, Code.Internal);
  const code = CODES.get(error.code);
  // Without a field the message is not about a bucket of this request.
  const [, field, problem] = PLACE.exec(error.rawMessage) ?? [];
  if (code === undefined || field === undefined || problem === undefined) return undefined;
  return { code, field, problem };
}
