import type {
  TemplatedApp,
  us_listen_socket,
  us_socket,
  WebSocketBehavior,
} from "uWebSockets.js-20.69";
import { createRequire } from "node:module";
import { manifestOf } from "../manifest.ts";

/** The server library, with its native binary loaded. */
export type Uws = {
  App(): TemplatedApp;
  DISABLED: NonNullable<WebSocketBehavior<unknown>["compression"]>;
  LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  us_listen_socket_close(socket: us_listen_socket): void;
  us_socket_local_port(socket: us_socket | us_listen_socket): number;
};

export type LoadedUws =
  | { kind: "loaded"; uws: Uws; version: string; failures: readonly string[] }
  /** Why none loads, newest first. */
  | { kind: "none"; failures: readonly string[] };

/** By the names that package.json gives them, newest first. */
const PACKAGES = ["uWebSockets.js-20.69", "uWebSockets.js"];
/** Has its binaries in packages of their own; the official build has them beside its code. */
const REPUBLISHED = "@uwsjs/core";

const require = createRequire(import.meta.url);

/** Loads the newest uWebSockets.js whose native binary runs here. */
export function loadUws(): LoadedUws {
  const failures: string[] = [];
  for (const name of PACKAGES) {
    try {
      const version = checkBinary(name);
      const uws: Uws = require(name);
      return { kind: "loaded", uws, version, failures };
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  return { kind: "none", failures };
}

/** Another version's binary may be where a package looks for its own, and would load. */
function checkBinary(name: string): string {
  const main = require.resolve(name);
  const { name: realName, version, optionalDependencies = {} } = manifestOf(main);
  if (realName !== REPUBLISHED) return version;
  const binary = `@uwsjs/${process.platform}-${process.arch}-${process.versions.node.split(".")[0]}`;
  if (optionalDependencies[binary] === undefined)
    throw new Error(`there is no ${binary} ${version}`);
  const found = manifestOf(createRequire(main).resolve(binary)).version;
  if (found !== version) throw new Error(`${binary} is ${found}, not ${version}`);
  return version;
}

/** The library says at length what it supports, and what went wrong in the last lines. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const cause = text.split("\n\n").at(-1) ?? text;
  return cause.split("\n", 1)[0] ?? cause;
}
