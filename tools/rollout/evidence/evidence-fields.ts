import * as z from "zod";
import { fits } from "../../../services/runtime/documents/decode-json.ts";
import { type Check, checkSchema } from "../terms/verdict.ts";
import type { EvidenceRecord } from "./evidence-chain.ts";
import type { Json } from "./json.ts";

type Fields = Readonly<Record<string, Json>>;

/** The fields of a record; what is no map is one field. */
export function fieldsOf(data: Json): Fields {
  const isMap = typeof data === "object" && data !== null && !Array.isArray(data);
  return isMap ? (data as Fields) : { data };
}

/** A field that is a text; empty where it is missing, or something else. */
export function textOf({ data }: EvidenceRecord, name: string): string {
  const value = fieldsOf(data)[name];
  return typeof value === "string" ? value : "";
}

const checksSchema = z.array(checkSchema);

/** The checks that a record holds; what only looks like checks is none. */
export function checksOf({ data }: EvidenceRecord): readonly Check[] | undefined {
  const { checks } = fieldsOf(data);
  return fits(checks, checksSchema) ? checks : undefined;
}

export function escapeHtml(text: string): string {
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
