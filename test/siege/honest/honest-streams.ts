import type { HonestCalls } from "./honest-calls.ts";
import { type HonestStream, openStream } from "./honest-stream.ts";
import type { HonestUser } from "./honest-users.ts";

/** Runs an honest call and records its result. */
export type Want = <T>(kind: string, run: () => Promise<T>) => Promise<T | undefined>;

export type StreamOptions = {
  gateway: string;
  localAddress: string;
  calls: HonestCalls;
  want: Want;
};

/** An honest page that stays subscribed for as long as its user wants. */
export class HonestPage {
  readonly #options: StreamOptions;
  readonly #user: HonestUser;
  readonly datasource: string;
  #stream: HonestStream | undefined;
  #isLeaving = false;

  constructor(user: HonestUser, datasource: string, options: StreamOptions) {
    this.#user = user;
    this.datasource = datasource;
    this.#options = options;
  }

  /** Connects and subscribes, unless already done. */
  async join(): Promise<void> {
    if (this.#stream !== undefined || this.#isLeaving) return;
    await this.#options.want("page", async () => {
      const { gateway, localAddress } = this.#options;
      const stream = await openStream({ gateway, localAddress, address: this.#user.address });
      try {
        const token = await this.#mint();
        await stream.ask({ subscribe: { datasource: this.datasource, ...token } });
      } catch (error) {
        stream.close();
        throw error;
      }
      if (this.#isLeaving) return stream.close();
      this.#stream = stream;
      void stream.over.then((reason) => this.#lost(stream, reason));
    });
  }

  /** Replaces the token before it ends. */
  async renew(): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    await this.#options.want("refresh frame", async () => {
      const token = await this.#mint();
      await stream.ask({ refresh: { datasource: this.datasource, ...token } });
    });
  }

  /** Publishes an update, which must reach the subscribed page. */
  async expect(datasource: string, offset: bigint): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined || datasource !== this.datasource) return;
    await this.#options.want("update", async () => await stream.received(datasource, offset));
  }

  leave(): void {
    this.#isLeaving = true;
    this.#stream?.close();
  }

  async #mint(): Promise<{ token: string }> {
    const { calls } = this.#options;
    const accessToken = this.datasource === "demo" ? undefined : this.#user.accessToken;
    return { token: await calls.mint(this.#user, this.datasource, accessToken) };
  }

  #lost(stream: HonestStream, reason: string): void {
    stream.close();
    this.#stream = undefined;
    if (this.#isLeaving) return;
    void this.#options.want("page", () => Promise.reject(new Error(reason)));
  }
}

/** Connects, subscribes with and without a token, and disconnects. */
export async function visit(user: HonestUser, options: StreamOptions): Promise<void> {
  const { gateway, localAddress, calls, want } = options;
  const token = await want("mint private", () =>
    calls.mint(user, "demo-private", user.accessToken),
  );
  const stream = await want("connect", () =>
    openStream({ gateway, localAddress, address: user.address }),
  );
  if (stream === undefined) return;
  await want("subscribe public", () => stream.ask({ subscribe: { datasource: "demo" } }));
  if (token !== undefined) {
    const datasource = "demo-private";
    await want("subscribe private", () => stream.ask({ subscribe: { datasource, token } }));
  }
  stream.close();
}

/** Revokes a token, which must end its stream within seconds. */
export async function revokeAndWait(user: HonestUser, options: StreamOptions): Promise<void> {
  const { gateway, localAddress, calls, want } = options;
  const datasource = "demo-private";
  const opened = await want("subscribe private", async () => {
    const token = await calls.mint(user, datasource, user.accessToken);
    const stream = await openStream({ gateway, localAddress, address: user.address });
    await stream.ask({ subscribe: { datasource, token } });
    return { token, stream };
  });
  if (opened === undefined) return;
  const { token, stream } = opened;
  await want("revocation", async () => {
    await calls.revoke(user, token);
    await stream.ended(datasource);
  });
  stream.close();
}
