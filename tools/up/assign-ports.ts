import { findFreePort, isPortFree } from "./free-port.ts";

/**
 * Assigns a port to each variable; 0 becomes a free port. Throws before anything starts, and names
 * every port that is in use or assigned twice, with the variable that changes it.
 */
export async function assignPorts<Name extends string>(
  ports: Readonly<Record<Name, number>>,
): Promise<Record<Name, number>> {
  const assigned: Record<Name, number> = { ...ports };
  const owners = new Map<number, string>();
  const problems: string[] = [];
  for (const name of namesOf(ports)) {
    const port = ports[name] === 0 ? await findFreePort() : ports[name];
    const owner = owners.get(port);
    if (owner !== undefined) problems.push(`${owner} and ${name} are both ${port}`);
    else if (!(await isPortFree("127.0.0.1", port))) problems.push(busyText(name, port));
    owners.set(port, name);
    assigned[name] = port;
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return assigned;
}

function namesOf<Name extends string>(record: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(record) as Name[];
}

function busyText(name: string, port: number): string {
  return `port ${port} is in use; choose another one with ${name}, for example: ${name}=${nextPort(port)} npm start`;
}

const PORT_MAX = 65_535;

/** Returns a port that is easy to remember beside the usual one. */
function nextPort(port: number): number {
  return port + 100 <= PORT_MAX ? port + 100 : port - 100;
}
