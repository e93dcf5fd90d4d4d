import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** How to get to a field from the outermost message, the field itself last. */
export type FieldPath = readonly [DescField, ...DescField[]];

/** Fields of fields of fields; what lies deeper is more of the same. */
const DEPTH_MAX = 3;

/** Every field of a message and of the messages in it. */
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
