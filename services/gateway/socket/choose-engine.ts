import { createRequire } from "node:module";
import type { Engine, EngineChoice } from "./engine.ts";
import { manifestOf } from "./manifest.ts";
import { adviseOnUws } from "./uws/advice.ts";
import { createUwsEngine } from "./uws/engine.ts";
import { loadUws } from "./uws/load.ts";
import { createWsEngine } from "./ws/engine.ts";

/** Chooses the fastest websocket library that runs here, or the one that the operator names. */
export function chooseEngine(choice: EngineChoice): Engine {
  const chosen = `GATEWAY_ENGINE is ${choice}`;
  if (choice === "ws") return createWsEngine(wsVersion(), chosen);
  const found = loadUws();
  const failed = found.failures.join("; ");
  if (found.kind === "loaded") {
    const reason =
      failed === "" ? `${chosen}, and the newest binary loads` : `${chosen}; ${failed}`;
    return createUwsEngine(found.uws, found.version, reason);
  }
  if (choice === "uws") {
    throw new Error(`${chosen}, and ${adviseOnUws(platformOf(process))} (${failed})`);
  }
  const reason = `${chosen}, and no binary of uWebSockets.js loads (${failed})`;
  return createWsEngine(wsVersion(), reason);
}

function platformOf({ versions, platform, arch, report }: NodeJS.Process) {
  const facts: { header?: { glibcVersionRuntime?: string } } = report?.getReport() ?? {};
  return { node: versions.node, platform, arch, glibc: facts.header?.glibcVersionRuntime };
}

function wsVersion(): string {
  return manifestOf(createRequire(import.meta.url).resolve("ws")).version;
}
