import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatSchema, JSON_SCHEMAS } from "./json-schemas.ts";

/** Writes the schemas of the files that operators write into `deploy/schemas/`. */
const folder = fileURLToPath(new URL("../../../deploy/schemas/", import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(JSON_SCHEMAS)) {
  writeFileSync(`${folder}${name}`, formatSchema(schema));
}
