import * as z from "zod";
import type { Path } from "./problem.ts";

/** A map of known fields; `notMap` is the message for anything else in its place. */
export function mapSchema<Shape extends z.core.$ZodShape>(
  shape: Shape,
  messages: { notMap: string; unknownField: string },
) {
  return z.strictObject(shape, {
    error: ({ code }) => (code === "unrecognized_keys" ? messages.unknownField : messages.notMap),
  });
}

/** What a rule finds: where, and what is wrong. */
export type Finding = { path: Path; message: string };

/** A rule between fields of a map. It is asked where each of its fields is right by itself. */
export type Rule<Value> = {
  fields: readonly (keyof Value & string)[];
  find(value: Value): Finding | undefined;
};

/** Adds rules to a map's schema; other fields that are wrong keep none of them from being asked. */
export function withRules<Schema extends z.ZodType>(
  schema: Schema,
  rules: readonly Rule<z.output<Schema>>[],
): Schema {
  return schema.superRefine(
    (value, context) => {
      // Before a rule adds to them: these are problems of single fields.
      const wrong = new Set(context.issues.map(fieldOf));
      for (const { fields, find } of rules) {
        const found = fields.some((field) => wrong.has(field)) ? undefined : find(value);
        if (found === undefined) continue;
        context.addIssue({ code: "custom", message: found.message, path: [...found.path] });
      }
    },
    // A value that is no map has a problem without a field.
    { when: ({ issues }) => issues.every((issue) => isOfUnknown(issue) || issue.path?.length) },
  );
}

function fieldOf(issue: z.core.$ZodRawIssue): PropertyKey | undefined {
  return isOfUnknown(issue) ? undefined : issue.path?.[0];
}

/** A field that the schema does not know leaves the others what they are. */
function isOfUnknown({ code }: z.core.$ZodRawIssue): boolean {
  return code === "unrecognized_keys";
}
