import * as z from "zod";
import { createPoliciesSchema } from "../../services/limiter/rules/parse-policies.ts";
import { edgeFields } from "../edge/edge-schema.ts";
import { rolloutFields } from "../rollout/settings/rollout-schema.ts";

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** The schemas of the files that operators write, as editors read them; by file name. */
export const JSON_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  "policies.json": toJsonSchema(
    createPoliciesSchema(),
    "The policies of the limiter: LIMITER_POLICIES_FILE",
  ),
  "edge.json": toJsonSchema(edgeFields, "One edge: the input of `edge render`"),
  "rollout.json": toJsonSchema(rolloutFields, "One deployment: rollout.yaml"),
};

/** The text of a committed schema. */
export function formatSchema(schema: JsonSchema): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** Editors know draft 7 best. Rules between fields have no place in it; the programs tell them. */
function toJsonSchema(schema: z.ZodType, title: string): JsonSchema {
  return z.toJSONSchema(schema.meta({ title }), {
    target: "draft-07",
    io: "input",
    reused: "inline",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodObject) describeFields(zodSchema, jsonSchema);
      if (zodSchema instanceof z.ZodPrefault) leaveOutEmptyDefault(jsonSchema);
    },
  });
}

/** A field is required where leaving it out is refused, and is none where every value is. */
function describeFields(map: z.ZodObject, jsonSchema: z.core.JSONSchema.BaseSchema): void {
  const required: string[] = [];
  for (const [name, field] of Object.entries(map.shape)) {
    const isNever = field instanceof z.ZodOptional && field.unwrap() instanceof z.ZodNever;
    if (isNever) delete jsonSchema.properties?.[name];
    else if (!z.safeParse(field, undefined).success) required.push(name);
  }
  delete jsonSchema.required;
  if (required.length > 0) jsonSchema.required = required;
}

/** An empty list or map in this place only says that the field may be missing. */
function leaveOutEmptyDefault(jsonSchema: z.core.JSONSchema.BaseSchema): void {
  if (Object.keys(Object(jsonSchema.default)).length === 0) delete jsonSchema.default;
}
