import { parseArgs } from "node:util";

export type SiegeOptions = {
  /** Names or prefixes of attacks; empty runs all. */
  only: readonly string[];
  /** The duration of each attack. */
  seconds: number;
  /** The number of inputs of each fuzzer. */
  inputs: number;
  seed: number;
  variants: readonly Variant[];
  /** Services use longer deadlines, so that a slow machine refuses nobody. */
  isPatient: boolean;
  isJson: boolean;
  isList: boolean;
};

/**
 * The address of the attackers: a separate one that may be a proxy, one that cannot be a proxy, or
 * the one that honest clients and services use.
 */
export type Variant = "apart" | "direct" | "shared";

export const VARIANTS: readonly Variant[] = ["apart", "direct", "shared"];

export const USAGE = `npm run test:siege -- [--only NAME]… [--seconds N] [--inputs N] [--seed N]
  [--variant apart|direct|shared]… [--patient] [--json] [--list]
`;

const SECONDS = 10;
const INPUTS = 100_000;

/** Reads the command line; throws with the mistake. */
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
