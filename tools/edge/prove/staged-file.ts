/** A file that was made runnable on this machine. */
export type StagedFile = {
  /** The arguments with which the proxy checks it. */
  check: readonly string[];
  /** The arguments with which the proxy runs it in the foreground. */
  run: readonly string[];
  /** The whole configuration as one text: what it reads of a request is found in here. */
  text: string;
  /** Paths that its own routes and patterns take. */
  samples: readonly string[];
  /** What the proof does differently from production, in words. */
  notes: readonly string[];
};

/** Where a staged file is put, and what it may use there. */
export type StagePlace = {
  /** A directory of its own. */
  directory: string;
  certificate: { certificate: string; key: string; combined: string };
};
