import { dirname, join, resolve } from "node:path";
import { replaceFile } from "../../trust/replace-file.ts";
import { ensureTrustedWay } from "../../trust/trusted-path.ts";
import {
  renderEvidenceJson,
  renderEvidencePage,
  verifyEvidence,
} from "../evidence/evidence-file.ts";
import { readEvidence } from "../evidence/evidence-log.ts";
import { readGivenBytes } from "../files/given-file.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { EXIT, type ExitCode } from "../terms/verdict.ts";
import { COMMON_HELP, readArguments, UsageError } from "./command-line.ts";
import { openRollout } from "./open-rollout.ts";

const HELP = `evidence                write everything that was checked, changed and measured as a report
evidence verify FILE    show that a report was not altered

Every record's hash covers the record before it; the last hash, the head, stands for all of them.
Note the head somewhere else (a ticket, a chat) when it is printed: with --head, verify also finds
reports that were cut short or written anew as a whole.

  --out NAME     evidence: write NAME.json and NAME.html (rollout-evidence)
  --head HASH    evidence verify: where the chain must end
${COMMON_HELP}`;

const OPTIONS = {
  out: { type: "string", default: "rollout-evidence" },
  head: { type: "string" },
} as const;

/** Writes and checks the report of a rollout. */
export const evidence: Verb = {
  name: "evidence",
  summary: "[verify FILE]: what was checked, changed and measured, as a report that proves itself",
  async run(context) {
    const { values, positionals } = readArguments(context.arguments, OPTIONS, 2);
    const [action, file] = positionals;
    if (values.help) {
      context.stdout(HELP);
      return EXIT.pass;
    }
    if (action === undefined) return await write(context, values);
    if (action !== "verify") throw new UsageError(`evidence knows "verify", and not "${action}"`);
    if (file === undefined) throw new UsageError("evidence verify needs a FILE");
    return await verify(context, file, values);
  },
};

async function write(
  context: VerbContext,
  values: { config: string; json: boolean; out: string },
): Promise<ExitCode> {
  const { files } = await openRollout(context, values);
  const { records, head } = await readEvidence(files);
  if (head.count === 0) {
    const error = "there is no evidence yet: nothing was checked or changed";
    context.stderr(`${error}\n`);
    const answer = { verb: "evidence", verdict: "inconclusive", count: 0, error };
    if (values.json) context.stdout(`${JSON.stringify(answer)}\n`);
    return EXIT.inconclusive;
  }
  const written = [`${values.out}.json`, `${values.out}.html`];
  // Whoever may write to this directory could replace the report.
  ensureTrustedWay(join(dirname(resolve(values.out)), "report"));
  replaceFile(`${values.out}.json`, renderEvidenceJson(records));
  replaceFile(`${values.out}.html`, renderEvidencePage(records));
  const answer = { verb: "evidence", verdict: "pass", head: head.hash, count: head.count, written };
  context.stdout(
    values.json
      ? `${JSON.stringify(answer)}\n`
      : `wrote ${written.join(" and ")}: ${head.count} records\nhead ${head.hash}\n`,
  );
  return EXIT.pass;
}

async function verify(
  context: VerbContext,
  file: string,
  { head, json }: { head?: string | undefined; json: boolean },
): Promise<ExitCode> {
  const bytes = await readGivenBytes(file).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  });
  const found = verifyEvidence(bytes, head);
  const verdict = found.kind === "holds" ? "pass" : "fail";
  const answer = { verb: "evidence verify", verdict, file, ...found };
  if (json) context.stdout(`${JSON.stringify(answer)}\n`);
  else if (found.kind === "broken") context.stdout(`${file} DOES NOT HOLD: ${found.reason}\n`);
  else {
    const against =
      head === undefined ? "; compare it with the one noted at the time" : ", as noted";
    context.stdout(
      `${file} holds: ${found.head.count} records\nhead ${found.head.hash}${against}\n`,
    );
  }
  return EXIT[verdict];
}
