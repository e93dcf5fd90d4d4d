import { parseArgs } from "node:util";

export type SiegeOptions = {
  /** Names of attacks or the beginnings of those; everything when there is none. */
  only: readonly string[];
  /** How long each attack lasts. */
  seconds: number;
  /** What each fuzzer sends. */
  inputs: number;
  seed: number;
  variants: readonly Variant[];
  isJson: boolean;
  isList: boolean;
};

/** Whether attackers share their address with honest clients and with the services. */
export type Variant = "apart" | "shared";

export const USAGE = `npm run test:siege -- [--only NAME]… [--seconds N] [--inputs N] [--seed N]
  [--variant apart|shared]… [--json] [--list]
`;

const SECONDS = 10;
const INPUTS = 100_000;

/** Reads the command line; throws with what is wrong. */
export function readCommandLine(arguments_: readonly string[]): SiegeOptions {
  const { values } = parseArgs({
    args: [...arguments_],
    options: {
      only: { type: "string", multiple: true, default: [] },
      seconds: { type: "string", default: String(SECONDS) },
      inputs: { type: "string", default: String(INPUTS) },
      seed: { type: "string", default: "1" },
      variant: { type: "string", multiple: true, default: ["apart", "shared"] },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  return {
    only: values.only,
    seconds: readNumber("--seconds", values.seconds),
    inputs: readNumber("--inputs", values.inputs),
    seed: readNumber("--seed", values.seed),
    variants: values.variant.map(readVariant),
    isJson: values.json,
    isList: values.list,
  };
}

function readNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`${name} must be a positive whole number`);
}

function readVariant(text: string): Variant {
  if (text === "apart" || text === "shared") return text;
  throw new Error("--variant is apart or shared");
}
