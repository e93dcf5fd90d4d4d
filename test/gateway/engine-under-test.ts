/** The engine of a gateway, as its log names it. */
export type EngineUnderTest = { engine: "uws" | "ws"; version: string; reason: string };

/** Reads which engine serves from what a gateway has written. */
export function findEngine(output: readonly string[]): EngineUnderTest {
  const line = output.find((text) => text.includes("websockets are served by"));
  if (line === undefined) throw new Error(`no engine in: ${output.join("\n")}`);
  return JSON.parse(line);
}
