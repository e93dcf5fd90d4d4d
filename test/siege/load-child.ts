import { startChild } from "../../tools/up/child.ts";
import type { LoadCounts, LoadPlan } from "./load.ts";

const STOP_TIMEOUT_MS = 20_000;

/** A process of attackers. */
export type LoadChild = {
  /** Resolves with the counts of all results, once the attackers are done. */
  counts: Promise<LoadCounts>;
  stop(): Promise<void>;
};

export async function startLoad(plan: LoadPlan): Promise<LoadChild> {
  const output: string[] = [];
  const child = await startChild({
    name: "attackers",
    command: process.execPath,
    arguments: ["dist/test/siege/load-process.js", JSON.stringify(plan)],
    environment: { PATH: process.env["PATH"] },
    onLine: (line, stream) => {
      if (stream === "stdout") output.push(line);
    },
  });
  const counts = child.exited.then(({ code, signal }): LoadCounts => {
    const [line] = output;
    if (code === 0 && line !== undefined) return JSON.parse(line);
    const errors = child.errorLines().join("\n");
    throw new Error(`the attackers ended with ${code ?? signal}:\n${errors}`);
  });
  return {
    counts,
    async stop() {
      if (child.isRunning()) await child.stop(STOP_TIMEOUT_MS);
    },
  };
}
