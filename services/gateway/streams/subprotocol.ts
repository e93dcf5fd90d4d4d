/** How the frames of a session are written. */
export type Subprotocol = "portcullis.realtime.v1.json" | "portcullis.realtime.v1.proto";

const SUBPROTOCOLS: readonly Subprotocol[] = [
  "portcullis.realtime.v1.json",
  "portcullis.realtime.v1.proto",
];

/** What was agreed on, and what the answer to the upgrade must name. */
export type ChosenSubprotocol = { subprotocol: Subprotocol; echo: Subprotocol | "" };

/**
 * Picks the client's first subprotocol that we speak. A client that offers none speaks JSON and is
 * answered without one; a client that offers only strange ones gets undefined.
 */
export function chooseSubprotocol(offered: string | undefined): ChosenSubprotocol | undefined {
  if (offered === undefined) return { subprotocol: "portcullis.realtime.v1.json", echo: "" };
  for (const part of offered.split(",")) {
    const known = SUBPROTOCOLS.find((candidate) => candidate === part.trim());
    if (known !== undefined) return { subprotocol: known, echo: known };
  }
  return undefined;
}
