/** For so long an answer is kept for retries: longer than any caller retries. */
export const ANSWER_KEPT_MS = 10 * 60_000;
