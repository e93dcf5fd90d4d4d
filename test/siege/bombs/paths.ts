import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** The path from the outermost message to a field, the field itself last. */
export type FieldPath = readonly [DescField, ...DescField[]];

/** Three levels of fields; deeper levels add nothing new. */
const DEPTH_MAX = 3;

/** Returns every field of a message and of its nested messages. */
export function fieldPaths(message: DescMessage, depth = DEPTH_MAX): FieldPath[] {
  return message.fields.flatMap((field): FieldPath[] => {
    const inner = messageOf(field);
    const deeper = inner === undefined || depth <= 1 ? [] : fieldPaths(inner, depth - 1);
    return [[field], ...deeper.map((path): FieldPath => [field, ...path])];
  });
}

function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  return field.fieldKind === "list" && field.listKind === "message" ? field.message : undefined;
}

export function isList(field: DescField): boolean {
  return field.fieldKind === "list" || field.fieldKind === "map";
}
