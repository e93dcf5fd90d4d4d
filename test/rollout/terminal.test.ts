import { spawn, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { widthOf } from "../../tools/rollout/terminal/wrap-text.ts";
import { createFakeDeployment } from "./rollout-fixture.ts";

const PROGRAM = resolve("dist/tools/rollout/main.js");
const COLUMNS = 70;
/** With NO_COLOR there would be no line that is overwritten either. */
const COLOURFUL = { ...process.env, NO_COLOR: undefined };
/** `script` runs a program on a terminal of its own; it is part of util-linux. */
const hasScript = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!hasScript)(
  "stage next canary shows a live line on a terminal, of its width",
  async () => {
    const { directory, config } = await atGateway();
    const command = `stty cols ${COLUMNS}; ${process.execPath} ${PROGRAM} stage next --config ${config}`;
    const shown = await output(
      spawn("script", ["-qec", command, "/dev/null"], { cwd: directory, env: COLOURFUL }),
    );
    const live = shown.split("\r\u001b[2K").filter((text) => text.startsWith("canary: "));
    expect(live.length).toBeGreaterThan(1);
    expect(live[0]).toMatch(/^canary: the first journey, \d+ s left …$/);
    expect(shown.split(/[\r\n]+/).filter((line) => widthOf(line) > COLUMNS)).toEqual([]);
  },
);

test("stage next canary tells a log from time to time how it stands", async () => {
  const { directory, config } = await atGateway();
  const child = spawn(process.execPath, [PROGRAM, "stage", "next", "--config", config], {
    cwd: directory,
  });
  expect(await output(child)).toMatch(/^canary: the first journey, \d+ s left$/m);
});

/** A deployment that stands before the canary, with no reachable service. */
async function atGateway() {
  const deployment = await createFakeDeployment();
  onTestFinished(deployment.remove);
  for (let stage = 0; stage < 3; stage++) {
    await deployment.run("stage", "next");
    await deployment.run("stage", "confirm");
  }
  const config = join(deployment.directory, "rollout.yaml");
  const text = await readFile(config, "utf8");
  const judged = text.replace(/canary: \{ judges: \[\][^\n]*/, "canary: { judges: [canary] }");
  const short = judged.replace("CANARY_PASSWORD }", "CANARY_PASSWORD }, durationSeconds: 2");
  await writeFile(config, short);
  return { directory: deployment.directory, config };
}

async function output(child: ReturnType<typeof spawn>): Promise<string> {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  await new Promise((done) => child.once("close", done));
  return text;
}
