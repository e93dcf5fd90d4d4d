import { join } from "node:path";

/** What lies in the state directory. */
export type StateFiles = ReturnType<typeof stateFilesIn>;

export function stateFilesIn(directory: string) {
  const at = (name: string) => join(directory, name);
  return {
    directory,
    /** Held by whoever changes anything. */
    lock: at("lock"),
    /** Where the rollout stands; written before every step. */
    journal: at("journal.json"),
    /** What the dead-man timer says of itself. */
    timer: at("timer.json"),
    timerLog: at("timer.log"),
    /** Output of the command that runs. */
    output: at("output.txt"),
    evidence: at("evidence.jsonl"),
    /** The end of the evidence, kept apart so that a cut-off file is noticed. */
    evidenceHead: at("evidence.head.json"),
    evidenceLock: at("evidence.lock"),
  };
}
