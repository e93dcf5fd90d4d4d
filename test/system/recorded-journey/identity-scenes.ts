import { WhoIsCallingResponseSchema } from "../../../gen/portcullis/identity/v1/identity_pb.ts";
import { TOKENS } from "../../fixtures/services.ts";
import type { Recorder, Step } from "./recorder.ts";

/** Records whom each of these doors takes the client for. */
export async function recordIdentity(
  { send }: Recorder,
  doors: readonly Step["door"][],
): Promise<void> {
  const path = "/portcullis.identity.v1.IdentityService/WhoIsCalling";
  const asked = { path, token: TOKENS.operator, body: {} };
  for (const door of doors) {
    await send(`WhoIsCalling at ${door}`, { ...asked, door });
    const settings = { withSettings: true };
    await send(`WhoIsCalling with settings at ${door}`, { ...asked, door, body: settings });
    const short = { "x-forwarded-for": "unknown" };
    await send(`WhoIsCalling without an address at ${door}`, { ...asked, door, headers: short });
    await send(`WhoIsCalling for the gateway at ${door}`, {
      ...asked,
      door,
      token: TOKENS.gateway,
    });
    await send(`WhoIsCalling in binary at ${door}`, {
      ...asked,
      door,
      body: new Uint8Array(),
      headers: { "content-type": "application/proto" },
      answers: WhoIsCallingResponseSchema,
    });
  }
}
