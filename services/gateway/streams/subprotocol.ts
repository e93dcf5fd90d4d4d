/** How the frames of a session are written. */
export type Subprotocol = "portcullis.realtime.v1.json" | "portcullis.realtime.v1.proto";

const SUBPROTOCOLS: readonly Subprotocol[] = [
  "portcullis.realtime.v1.json",
  "portcullis.realtime.v1.proto",
];

/** The chosen subprotocol, and the one that the answer to the upgrade must name. */
export type ChosenSubprotocol = { subprotocol: Subprotocol; echo: Subprotocol | "" };

/**
 * Chooses the first subprotocol of the client that the gateway speaks. A client that offers none
 * speaks JSON and gets no name in the answer. Undefined when all that it offers are unknown.
 */
export function chooseSubprotocol(offered: string | undefined): ChosenSubprotocol | undefined {
  if (offered === undefined) return { subprotocol: "portcullis.realtime.v1.json", echo: "" };
  for (const part of offered.split(",")) {
    const known = SUBPROTOCOLS.find((candidate) => candidate === part.trim());
    if (known !== undefined) return { subprotocol: known, echo: known };
  }
  return undefined;
}
