import { writeSync } from "node:fs";
import { text } from "node:stream/consumers";
import { systemClock } from "../../../services/runtime/clock.ts";
import { decodeJson } from "../../../services/runtime/documents/decode-json.ts";
import { stateFilesIn } from "../files/state-files.ts";
import { createRedactFor } from "../state/redact-for.ts";
import { rolloutPlanSchema } from "../state/rollout-plan.ts";
import { watchDeadMan } from "./watch-dead-man.ts";

const [directory, token] = process.argv.slice(2);
if (directory === undefined || token === undefined)
  throw new Error("started by `stage next` alone");

// The commands come on stdin from the process that armed the timer, never from a file.
const plan = decodeJson(await text(process.stdin), rolloutPlanSchema);
if (plan === undefined) throw new Error("started without a plan of what to take back");

const redact = await createRedactFor(process.env, plan.envFiles);

// The timer must outlive the operator's terminal.
process.on("SIGHUP", () => undefined);
await watchDeadMan({
  files: stateFilesIn(directory),
  token,
  environment: process.env,
  plan,
  clock: systemClock,
  report,
});

/** A log that cannot be written, for example on a full disk, must not end the timer. */
function report(line: string): void {
  try {
    writeSync(process.stdout.fd, `${redact(line)}\n`);
  } catch {
    return;
  }
}
