import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../../up/child.ts";
import { type RunnableProxy, waitUntilListening } from "../start-proxy.ts";
import { stageCaddy } from "./caddy-file.ts";
import { CannotProveError } from "./cannot-prove-error.ts";
import { stageHaproxy } from "./haproxy-file.ts";
import { stageNginx } from "./nginx-file.ts";
import { type RecordedRequest, startRecorder } from "./recorder.ts";
import type { StagedFile, StagePlace } from "./staged-file.ts";
import { createStandIns, type Listener } from "./stand-ins.ts";

/** A proxy that runs with a given file, and the recorders behind it. */
export type RunningProof = {
  staged: StagedFile;
  listeners: readonly Listener[];
  /** Every upstream of the file, by its own address. */
  upstreams: readonly string[];
  /** Takes what upstreams have seen since the last time. */
  take: () => { upstream: string; recorded: RecordedRequest }[];
  stop: () => Promise<void>;
};

const STOP_TIMEOUT_MS = 2_000;
/** Enough of a proxy's complaint to mend the file. */
const PROBLEM_LINES_MAX = 5;

/** Starts recorders, and the proxy in front of them; rejects where the file cannot be run. */
export async function runStaged(
  proxy: RunnableProxy,
  file: string,
  text: string,
): Promise<RunningProof> {
  const directory = mkdtempSync(join(tmpdir(), `portcullis-prove-${proxy}-`));
  const ending: (() => Promise<unknown> | unknown)[] = [
    () => rmSync(directory, { recursive: true, force: true }),
  ];
  const stop = async () => {
    for (const end of ending.splice(0).reverse()) await end();
  };
  try {
    const certificate = createCertificate(directory);
    const standIns = await createStandIns();
    const staged = STAGE[proxy](file, text, standIns, { directory, certificate });
    const listeners = standIns.listeners();
    if (listeners.length === 0) throw new CannotProveError("it listens nowhere");
    const tls = {
      cert: readFileSync(certificate.certificate, "utf8"),
      key: readFileSync(certificate.key, "utf8"),
    };
    const recorders = await Promise.all(
      [...standIns.recorded()].map(async ([upstream, port]) => {
        const recorder = await startRecorder({ port, tls });
        ending.push(() => recorder.stop());
        return { upstream, recorder };
      }),
    );
    const environment = {
      PATH: process.env["PATH"],
      HOME: directory,
      XDG_CONFIG_HOME: directory,
      XDG_DATA_HOME: directory,
    };
    checkStaged(proxy, staged, environment);
    const child = await startChild({
      name: proxy,
      command: proxy,
      arguments: staged.run,
      environment,
    });
    ending.push(() => (child.isRunning() ? child.stop(STOP_TIMEOUT_MS) : undefined));
    await waitUntilListening(
      child,
      listeners.map(({ port }) => ({ host: "127.0.0.1", port })),
    );
    return {
      staged,
      listeners,
      upstreams: [...standIns.recorded().keys()],
      take: () =>
        recorders.flatMap(({ upstream, recorder }) => {
          return recorder.take().map((recorded) => ({ upstream, recorded }));
        }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const STAGE = { nginx: stageNginx, haproxy: stageHaproxy, caddy: stageCaddy } as const;

function checkStaged(proxy: RunnableProxy, { check }: StagedFile, env: NodeJS.ProcessEnv): void {
  const { status, stderr } = spawnSync(proxy, check, { encoding: "utf8", env });
  if (status === 0) return;
  const lines = stderr.trim().split("\n").slice(0, PROBLEM_LINES_MAX).join("\n  ");
  throw new CannotProveError(`${proxy} does not accept it:\n  ${lines}`);
}

/** A certificate for this proof alone, as nginx, HAProxy and Caddy want it. */
function createCertificate(directory: string): StagePlace["certificate"] {
  const [certificate, key] = [join(directory, "chain.pem"), join(directory, "key.pem")];
  const kind = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
  ];
  const subject = ["-days", "2", "-subj", "/CN=edge.example"];
  const made = spawnSync("openssl", [...kind, ...subject, "-keyout", key, "-out", certificate], {
    encoding: "utf8",
  });
  if (made.status !== 0)
    throw new CannotProveError("openssl is needed to make a certificate, and failed");
  const combined = join(directory, "combined.pem");
  copyFileSync(certificate, combined);
  writeFileSync(combined, readFileSync(key, "utf8"), { flag: "a" });
  return { certificate, key, combined };
}
