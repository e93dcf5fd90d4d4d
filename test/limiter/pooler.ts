import { access, chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { findPostgresUser } from "../../tools/up/postgres-binaries.ts";
import { eventually } from "../fixtures/eventually.ts";

const COMMANDS = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];
const STOP_TIMEOUT_MS = 5_000;

/** What to install where tests behind a pooler are skipped. */
export const INSTALL_POOLER = "apt-get install pgbouncer";

/** Where PgBouncer is installed; undefined when it is not, which CI does not accept. */
export async function findPooler(): Promise<string | undefined> {
  for (const command of COMMANDS) {
    const isThere = await access(command).then(
      () => true,
      () => false,
    );
    if (isThere) return command;
  }
  if (process.env["CI"] === "true") throw new Error(`PgBouncer is needed: ${INSTALL_POOLER}`);
  return undefined;
}

/** Starts a PgBouncer in front of a database, with settings of its own. */
export async function startPooler(databaseUrl: string, settings: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-pooler-"));
  await chmod(folder, 0o755);
  const command = await findPooler();
  if (command === undefined) throw new Error("no PgBouncer");
  const port = await findFreePort();
  const server = new URL(databaseUrl);
  const { username, password, hostname } = server;
  const users = join(folder, "users.txt");
  await writeFile(users, `"${username}" "${password}"\n`, { mode: 0o644 });
  const configuration = join(folder, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=${hostname} port=${server.port} user=${username} password=${password}`,
    "[pgbouncer]",
    ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir ="],
    ...["auth_type = plain", `auth_file = ${users}`],
    ...settings,
  ];
  await writeFile(configuration, `${lines.join("\n")}\n`, { mode: 0o644 });
  // It refuses to run as root.
  const user = userInfo().uid === 0 ? await findPostgresUser() : undefined;
  const output: string[] = [];
  const start = async () => {
    const child = await startChild({
      ...{ name: "pgbouncer", command, arguments: [configuration] },
      environment: { PATH: process.env["PATH"], HOME: folder },
      onLine: (line) => output.push(line),
      ...(user === undefined ? {} : { user }),
    });
    await eventually(async () => await canConnect(port));
    return child;
  };
  let child = await start();
  const url = new URL(databaseUrl);
  url.port = String(port);
  return {
    url: url.href,
    output,
    /** `SIGSTOP` lets it hang with its connections open, until `SIGCONT`. */
    signal: (signal: "SIGSTOP" | "SIGCONT") => child.kill(signal),
    /** Ends it as a crash does, and starts it again at the same port. */
    async crash() {
      child.kill("SIGKILL");
      await child.exited;
      child = await start();
    },
    async stop() {
      child.kill("SIGCONT");
      if (child.isRunning()) await child.stop(STOP_TIMEOUT_MS);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A PgBouncer that runs. */
export type Pooler = Awaited<ReturnType<typeof startPooler>>;

async function canConnect(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}
