import * as z from "zod";
import { fits } from "../../../services/runtime/documents/decode-json.ts";
import { type Check, checkSchema } from "../terms/verdict.ts";
import type { EvidenceRecord } from "./evidence-chain.ts";
import type { Json } from "./json.ts";

type Fields = Readonly<Record<string, Json>>;

/** The fields of a record. Data that is no map becomes one field, `data`. */
export function fieldsOf(data: Json): Fields {
  const isMap = typeof data === "object" && data !== null && !Array.isArray(data);
  return isMap ? (data as Fields) : { data };
}

/** A text field; empty where it is missing or no text. */
export function textOf({ data }: EvidenceRecord, name: string): string {
  const value = fieldsOf(data)[name];
  return typeof value === "string" ? value : "";
}

const checksSchema = z.array(checkSchema);

/** The checks of a record; undefined where its `checks` have another form. */
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
