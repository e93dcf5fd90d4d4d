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
  /** Why no binary loads, newest first. */
  | { kind: "none"; failures: readonly string[] };

/** The package names in package.json, newest first. */
const PACKAGES = ["uWebSockets.js-20.69", "uWebSockets.js"];
/** This package has its binaries in separate packages; the official build includes them. */
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

/** Checks that the binary has the package's version: another version's would load as well. */
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

/** Takes the cause from the last lines of the library's long error message. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const cause = text.split("\n\n").at(-1) ?? text;
  return cause.split("\n", 1)[0] ?? cause;
}
