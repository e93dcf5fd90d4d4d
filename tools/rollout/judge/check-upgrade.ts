import { setTimeout as sleep } from "node:timers/promises";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import { type ConnectAnswer, connectRealtime } from "./connect-realtime.ts";

const SUBJECT = {
  id: "upgrade.idle",
  title: "A websocket through the edge, silent for a while",
  why: "proxies that cut idle connections make every browser reconnect at once",
};

/** A longer Retry-After means that a limit is used up, which is worth reporting. */
const RETRY_AFTER_SECONDS_MAX = 5;

/** Opens a websocket, stays silent for `idleSeconds`, and checks that a ping is still answered. */
export async function checkUpgrade(
  { edgeUrl, signal }: Deployment,
  idleSeconds: number,
): Promise<Check> {
  const answer = await connectPatiently(edgeUrl, signal);
  if (answer.kind === "refused") {
    const observed = `the upgrade was refused with ${answer.status}, twice`;
    return failed(
      SUBJECT,
      observed,
      "429 is a limit, 503 no decision, 400 or 426 the edge's doing",
    );
  }
  if (answer.kind === "failed") {
    return failed(SUBJECT, answer.problem, "see that the edge forwards the upgrade");
  }
  const { connection } = answer;
  try {
    await sleep(idleSeconds * 1_000, undefined, { signal });
    const pong = await connection.ask({ ping: {} });
    if (pong["pong"] === undefined) {
      return failed(SUBJECT, "a ping was not answered with a pong", "read the gateway's log");
    }
    return passed(SUBJECT, `answered after ${idleSeconds} s of silence`);
  } catch (error) {
    if (signal?.aborted) return doubtful(SUBJECT, "interrupted", "probe again");
    const problem = error instanceof Error ? error.message : String(error);
    const mend = "raise the idle timeout of the proxy above the gateway's ping interval";
    return failed(SUBJECT, `after ${idleSeconds} s of silence: ${problem}`, mend);
  } finally {
    connection.close();
  }
}

/** Retries once after Retry-After, as every client does: one busy moment is no finding. */
async function connectPatiently(
  edgeUrl: string,
  signal: AbortSignal | undefined,
): Promise<ConnectAnswer> {
  const answer = await connectRealtime(edgeUrl);
  if (answer.kind !== "refused") return answer;
  const waitSeconds = Math.min(Number(answer.retryAfter ?? 0), RETRY_AFTER_SECONDS_MAX);
  await sleep(waitSeconds * 1_000, undefined, { signal }).catch(() => undefined);
  return await connectRealtime(edgeUrl);
}
