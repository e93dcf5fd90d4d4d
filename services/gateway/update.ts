import type { Value } from "@bufbuild/protobuf/wkt";
import { type FrameCodec, serverFrame } from "./frame-codec.ts";
import type { Subprotocol } from "./subprotocol.ts";

/** One update of a datasource, written at most once per subprotocol however many receive it. */
export class Update {
  readonly datasource: string;
  readonly offset: bigint;
  readonly epoch: string;
  readonly #json: Value;
  readonly #encoded = new Map<Subprotocol, Uint8Array>();

  constructor(position: { datasource: string; offset: bigint; epoch: string }, json: Value) {
    this.datasource = position.datasource;
    this.offset = position.offset;
    this.epoch = position.epoch;
    this.#json = json;
  }

  encodedBy(codec: FrameCodec): Uint8Array {
    const known = this.#encoded.get(codec.subprotocol);
    if (known !== undefined) return known;
    const { datasource, offset, epoch } = this;
    const value = { datasource, offset, epoch, json: this.#json };
    const encoded = codec.encode(serverFrame({ case: "update", value }));
    this.#encoded.set(codec.subprotocol, encoded);
    return encoded;
  }
}
