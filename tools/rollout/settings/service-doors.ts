import { INNER_DOORS, type InnerDoor, innerDoorUrl } from "../../edge/probe/inner-doors.ts";
import { readEnvText } from "../evidence/redact.ts";
import { readGivenFile } from "../files/given-file.ts";
import type { RolloutService } from "./rollout-config.ts";

/** Fills in the inner doors that the configuration does not name. */
export async function findInnerDoors(
  services: Readonly<Record<"auth" | "gateway", RolloutService>>,
  named: Readonly<Record<InnerDoor, string | undefined>>,
): Promise<Readonly<Record<InnerDoor, string>>> {
  const find = async (door: InnerDoor) => {
    if (named[door] !== undefined) return named[door];
    const { service, variable } = INNER_DOORS[door];
    const { url, envFile } = services[service];
    // A file that cannot be read is for `preflight` to name.
    const text = envFile && (await readGivenFile(envFile).catch(() => undefined));
    return innerDoorUrl(door, url, text ? readEnvText(text)[variable] : undefined);
  };
  return { authAdmin: await find("authAdmin"), gatewayRpc: await find("gatewayRpc") };
}
