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
  /** Services wait longer for each other, so that a slow machine refuses nobody. */
  isPatient: boolean;
  isJson: boolean;
  isList: boolean;
};

/**
 * Where attackers come from: an address of their own that may be a proxy, one that cannot be one, or
 * the one that honest clients and the services share.
 */
export type Variant = "apart" | "direct" | "shared";

export const VARIANTS: readonly Variant[] = ["apart", "direct", "shared"];

export const USAGE = `npm run test:siege -- [--only NAME]… [--seconds N] [--inputs N] [--seed N]
  [--variant apart|direct|shared]… [--patient] [--json] [--list]
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
      variant: { type: "string", multiple: true, default: [...VARIANTS] },
      patient: { type: "boolean", default: false },
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
    isPatient: values.patient,
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
  const variant = VARIANTS.find((one) => one === text);
  if (variant !== undefined) return variant;
  throw new Error(`--variant is one of ${VARIANTS.join(", ")}`);
}
