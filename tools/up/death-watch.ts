import { spawn } from "node:child_process";

/**
 * Kills a process when this one dies, by whatever signal. A shell waits on a pipe that only this
 * process holds open; even SIGKILL closes it.
 */
export function watchOwnDeath(pid: number, signal: "SIGTERM" | "SIGINT"): { cancel(): void } {
  const script = 'read -r _; kill -s "$1" "$0"; kill -s CONT "$0"';
  const watcher = spawn("sh", ["-c", script, String(pid), signal.slice("SIG".length)], {
    stdio: ["pipe", "ignore", "ignore"],
    // A separate process group, so that Ctrl-C does not kill the watcher first.
    detached: true,
  });
  // Without a shell nothing is watched; the child still runs.
  watcher.on("error", () => undefined);
  watcher.unref();
  const { stdin } = watcher;
  stdin.on("error", () => undefined);
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  return {
    cancel() {
      watcher.kill("SIGKILL");
      stdin.destroy();
    },
  };
}
