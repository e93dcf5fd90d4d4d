type Question<A> = { name: string; resolve(answer: A): void; reject(error: unknown): void };

type Asker<A> = { waiting: Question<A>[]; inFlight: number; isScheduled: boolean };

/**
 * Puts what an asker asks at the same time into one question. While all questions that it may have
 * are in flight, further ones wait and share the next.
 */
export class QuestionBatches<A> {
  readonly #ask: (names: readonly string[], asker: string) => Promise<readonly A[]>;
  readonly #bounds: { namesMax: number; atOncePerAsker: number };
  readonly #askers = new Map<string, Asker<A>>();

  constructor(
    ask: (names: readonly string[], asker: string) => Promise<readonly A[]>,
    bounds: { namesMax: number; atOncePerAsker: number },
  ) {
    this.#ask = ask;
    this.#bounds = bounds;
  }

  async ask(name: string, asker: string): Promise<A> {
    return await new Promise((resolve, reject) => {
      const known = this.#askers.get(asker) ?? { waiting: [], inFlight: 0, isScheduled: false };
      this.#askers.set(asker, known);
      known.waiting.push({ name, resolve, reject });
      this.#schedule(asker, known);
    });
  }

  /** What else is asked in this turn of the event loop joins the question. */
  #schedule(name: string, asker: Asker<A>): void {
    if (asker.isScheduled) return;
    asker.isScheduled = true;
    setImmediate(() => {
      asker.isScheduled = false;
      const { namesMax, atOncePerAsker } = this.#bounds;
      while (asker.waiting.length > 0 && asker.inFlight < atOncePerAsker) {
        void this.#put(name, asker, asker.waiting.splice(0, namesMax));
      }
    });
  }

  async #put(name: string, asker: Asker<A>, questions: readonly Question<A>[]): Promise<void> {
    asker.inFlight++;
    try {
      const names = questions.map((question) => question.name);
      const answers = await this.#ask(names, name);
      for (const [index, question] of questions.entries()) {
        const answer = answers[index];
        if (answer === undefined) question.reject(new Error("a question was not answered"));
        else question.resolve(answer);
      }
    } catch (error) {
      for (const question of questions) question.reject(error);
    }
    asker.inFlight--;
    if (asker.waiting.length > 0) this.#schedule(name, asker);
    else if (asker.inFlight === 0) this.#askers.delete(name);
  }
}
