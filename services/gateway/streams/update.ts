import type { FrameCodec, UpdateContent } from "./frame-codec.ts";
import type { Subprotocol } from "./subprotocol.ts";

/** One update of a datasource, encoded at most once per subprotocol for all its subscribers. */
export class Update {
  readonly offset: bigint;
  readonly #content: UpdateContent;
  readonly #encoded = new Map<Subprotocol, Uint8Array>();

  constructor(content: UpdateContent) {
    this.offset = content.offset;
    this.#content = content;
  }

  encodedBy(codec: FrameCodec): Uint8Array {
    const known = this.#encoded.get(codec.subprotocol);
    if (known !== undefined) return known;
    const encoded = codec.encodeUpdate(this.#content);
    this.#encoded.set(codec.subprotocol, encoded);
    return encoded;
  }
}
