import * as z from "zod";
import { mapSchema } from "../../../services/runtime/documents/map-schema.ts";
import { PRESET_NAMES } from "../../edge/presets.ts";

/** What looks at a stage after it was applied. */
const STAGE_JUDGES = ["identity", "preflight", "probe", "align", "canary"] as const;
export type StageJudge = (typeof STAGE_JUDGES)[number];

/** The limiter decides or does not; only who asks it can be open. */
const OPENABLE = ["auth", "gateway"] as const;
export type OpenableService = (typeof OPENABLE)[number];

/** Long enough to look at a dashboard, short enough that nobody is locked out for long. */
const DEAD_MAN_SECONDS = { min: 1, max: 86_400, default: 300 };
const COMMAND_SECONDS = { min: 1, max: 3_600, default: 120 };
/** Below ten minutes a slow leak of identity does not show. */
const CANARY_SECONDS = { min: 1, max: 86_400, default: 600 };
const CANARY_REQUESTS = { min: 1, max: 1_000_000_000, default: 1_000 };

/** A map that may be missing as a whole: what is missing in it is told field by field. */
function map<Shape extends z.core.$ZodShape>(shape: Shape, notMap = "must be a map") {
  const fields = mapSchema(shape, { notMap, unknownField: "is not known here" });
  return z.preprocess((value) => value ?? {}, fields);
}

const NOT_A_TEXT = "must be a text";
const text = z
  .string({ error: ({ input }) => (input === undefined ? "is required" : NOT_A_TEXT) })
  .regex(/\S/, { error: NOT_A_TEXT, abort: true });

const url = text
  .refine(isHttpUrl, "must be an http or https URL")
  .transform((found) => found.replace(/\/+$/, ""));

function isHttpUrl(found: string): boolean {
  const scheme = URL.canParse(found) ? new URL(found).protocol : "";
  return scheme === "http:" || scheme === "https:";
}

const NOT_TEXTS = "must be a list of texts";
const texts = z
  .union([z.string(NOT_TEXTS), z.array(z.string(NOT_TEXTS))], NOT_TEXTS)
  .transform((found) => (typeof found === "string" ? [found] : found))
  .prefault([]);

function number(bounds: { min: number; max: number; default: number }) {
  const message = `must be a number from ${bounds.min} to ${bounds.max}`;
  return z
    .number(message)
    .min(bounds.min, message)
    .max(bounds.max, message)
    .default(bounds.default);
}

/** Some of a closed set of words, in the order of the set. */
function someOf<const Word extends string>(words: readonly Word[], notes = "") {
  const message = `may hold ${words.join(", ")}${notes}`;
  const word = z.enum(words, message);
  return z
    .union([word, z.array(word)], message)
    .transform((found) => (Array.isArray(found) ? found : [found]))
    .refine((found) => new Set(found).size === found.length, message)
    .transform((found) => words.filter((candidate) => found.some((other) => other === candidate)));
}

function service(name: string) {
  return map({
    url: url.describe(`Where ${name} is reached directly, past the edge.`),
    envFile: text.optional().describe(`The environment file of ${name}.`),
  });
}

function innerDoor(where: string) {
  const fields = mapSchema(
    { url: url.describe(where) },
    { notMap: "must be a map", unknownField: "is not known here" },
  );
  return fields.optional();
}

const change = {
  apply: text.describe("The command that makes the change; safe to run twice."),
  rollback: text.describe("The command that takes it back; safe to run twice."),
};

function verification(standard: readonly [StageJudge, ...StageJudge[]]) {
  return {
    judges: someOf(STAGE_JUDGES, ", each once")
      .prefault([...standard])
      .describe(`What looks at the stage; ${standard.join(", ")} unless set.`),
    verify: text.optional().describe("A command of your own that looks at the stage."),
  };
}

/** The fields of a `rollout.yaml`. */
export const rolloutFields = map(
  {
    edge: map({
      url: url.describe("Where browsers reach the edge."),
      config: texts.describe("The files that configure the edge."),
      topology: z
        .enum(PRESET_NAMES, `must be one of ${PRESET_NAMES.join(", ")}`)
        .default("direct")
        .describe("What stands in front of the edge."),
    }),
    services: map({
      auth: service("auth"),
      limiter: service("the limiter"),
      gateway: service("the gateway"),
      authAdmin: innerDoor("Auth's door for operators, where it is not at its usual port."),
      gatewayRpc: innerDoor("The gateway's door for services, where it is not at its usual port."),
    }).describe("Direct addresses of the services."),
    operatorTokenEnv: text
      .default("OPERATOR_SERVICE_TOKEN")
      .describe("The variable that holds the operator's token; not the token."),
    prometheus: map({ url: url.describe("Where Prometheus is.") }),
    canary: map({
      account: map({
        email: text.describe("The account that the canary signs in with."),
        passwordEnv: text.describe("The variable that holds its password; not the password."),
      }),
      datasources: map({
        public: text.default("demo").describe("A datasource that everybody may read."),
        private: text.default("demo-private").describe("A datasource that needs a token."),
      }),
      durationSeconds: number(CANARY_SECONDS).describe("How long the canary measures."),
      minRequests: number(CANARY_REQUESTS).describe("With fewer requests it is inconclusive."),
    }),
    stages: map({
      proxy: map({ ...change, ...verification(["identity", "probe"]) }),
      api: map({
        limiter: map(change),
        auth: map(change),
        ...verification(["identity", "probe"]),
      }),
      gateway: map({ ...change, ...verification(["identity", "preflight", "probe", "align"]) }),
      canary: map(verification(["identity", "canary"])).describe("Changes nothing."),
    }).describe("What changes in each stage, in this order."),
    release: map({ version: text.optional(), revision: text.optional() }).describe(
      "What must run after each stage; what is not said may be anything.",
    ),
    failOpen: someOf(OPENABLE)
      .prefault([])
      .describe("The services that this rollout is meant to open; all others must fail closed."),
    endDegraded: map({ auth: text.optional(), gateway: text.optional() }).describe(
      "The commands that end the degraded mode of a service.",
    ),
    notify: text
      .optional()
      .describe("Told of whatever was taken back, with the outcome as JSON on its input."),
    deadManSeconds: number(DEAD_MAN_SECONDS).describe(
      "How long a change may stay unconfirmed before it is rolled back by itself.",
    ),
    commandSeconds: number(COMMAND_SECONDS).describe("How long one command may take."),
    stateDir: text.default(".portcullis/rollout").describe("Where the state is kept."),
  },
  "the file must be a map",
);
