/** In seconds, as the semantic conventions advise: from a local answer to the longest timeouts. */
export const DURATION_BUCKETS_S = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];
