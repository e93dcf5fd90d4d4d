import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromBinary,
  fromJson,
  getOption,
  hasOption,
  isMessage,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Any, AnySchema, anyUnpack, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/**
 * Envoy's own API (v3, Apache-2.0) with its validation rules, as descriptors of the messages that
 * the rendered files use. Made from the proto files that @grpc/grpc-js-xds 1.14.1 carries:
 * `buf build --exclude-source-info --type envoy.config.bootstrap.v3.Bootstrap --type …`.
 */
const API = new URL("envoy-api.binpb.gz", import.meta.url);

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(API))),
);

/**
 * Reads a value as Envoy reads its configuration: unknown fields and wrong types are errors, and
 * typed_config is read as the message that it names. Answers what breaks Envoy's own rules.
 */
export function findSchemaFaults(typeName: string, value: JsonValue): string[] {
  const schema = registry.getMessage(typeName);
  if (schema === undefined) throw new Error(`there is no ${typeName} in Envoy's API`);
  try {
    return faultsOf(schema, fromJson(schema, value, { registry }), typeName);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function faultsOf(schema: DescMessage, message: Message, path: string): string[] {
  if (isMessage(message, AnySchema)) return faultsOfAny(message, path);
  const reflected = reflect(schema, message);
  return [
    ...schema.oneofs.flatMap((oneof) => faultsOfOneof(oneof, reflected, path)),
    ...schema.fields.flatMap((field) => faultsOfField(field, reflected, `${path}.${field.name}`)),
  ];
}

function faultsOfAny(message: Any, path: string): string[] {
  const inner = anyUnpack(message, registry);
  const schema = inner && registry.getMessage(inner.$typeName);
  if (inner === undefined || schema === undefined)
    return [`${path}: ${message.typeUrl} is unknown`];
  return faultsOf(schema, inner, `${path}<${schema.name}>`);
}

function faultsOfOneof(oneof: DescOneof, message: ReflectMessage, path: string): string[] {
  const extension = registry.getExtension("validate.required");
  if (extension === undefined || !hasOption(oneof, extension)) return [];
  return message.oneofCase(oneof) === undefined
    ? [`${path}: one of ${oneof.name} is required`]
    : [];
}

function faultsOfField(field: DescField, message: ReflectMessage, path: string): string[] {
  const isSet = message.isSet(field);
  return [
    ...faultsOfRules(field, message, path),
    ...(isSet ? faultsOfChildren(field, message, path) : []),
  ];
}

function faultsOfChildren(field: DescField, message: ReflectMessage, path: string): string[] {
  if (field.fieldKind === "message") {
    const child = message.get(field);
    return faultsOf(child.desc, child.message, path);
  }
  if (field.fieldKind === "list" && field.listKind === "message") {
    return [...message.get(field)].flatMap((child, index) => {
      if (!isReflectMessage(child)) return [];
      return faultsOf(field.message, child.message, `${path}[${index}]`);
    });
  }
  return [];
}

/** The rules of protoc-gen-validate that Envoy enforces and these files can break. */
function faultsOfRules(field: DescField, message: ReflectMessage, path: string): string[] {
  const extension = registry.getExtension("validate.rules");
  if (extension === undefined || !hasOption(field, extension)) return [];
  // Of a choice only what was chosen is held to its rules.
  if (field.oneof !== undefined && !message.isSet(field)) return [];
  const rules = JSON.parse(
    JSON.stringify(getOption(field, extension), (_key, value) => {
      return typeof value === "bigint" ? Number(value) : value;
    }),
  );
  const kind: string | undefined = rules.type?.case;
  const rule: Record<string, unknown> = rules.type?.value ?? {};
  const isSet = message.isSet(field);
  const value = message.get(field);
  const size = field.fieldKind === "list" ? message.get(field).size : String(value).length;
  const number = Number(isReflectMessage(value) ? unwrap(value) : value);
  const breaks = [
    [rules.message?.required === true && !isSet, "is required"],
    [kind === "string" && size < Number(rule["minLen"] ?? 0), "is too short"],
    [kind === "repeated" && size < Number(rule["minItems"] ?? 0), "has too few items"],
    [isSet && number < boundOf(rule, "gte", number), "is too small"],
    [isSet && number <= boundOf(rule, "gt", Number.NEGATIVE_INFINITY), "is too small"],
    [isSet && number > boundOf(rule, "lte", number), "is too large"],
  ] as const;
  return breaks.flatMap(([isBroken, text]) => (isBroken === true ? [`${path} ${text}`] : []));
}

/** Google's wrappers hold one value. */
function unwrap(message: ReflectMessage): unknown {
  const [field] = message.fields;
  return field === undefined ? undefined : message.get(field);
}

/** A bound that the rule has, or one that nothing breaks. */
function boundOf(rule: Record<string, unknown>, name: string, none: number): number {
  const bound = rule[name] ?? none;
  return typeof bound === "number" ? bound : none;
}
