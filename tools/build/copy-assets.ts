import { cpSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What the compiler leaves behind: data that programs read from beside themselves. */
const ASSET = /\.(sql|ya?ml|tmpl|html|css|json)$/;
const FOLDERS = ["services", "clients", "tools", "test", "deploy"];

const root = fileURLToPath(new URL("../../../", import.meta.url));
for (const folder of FOLDERS) {
  if (!existsSync(`${root}/${folder}`)) continue;
  cpSync(`${root}/${folder}`, `${root}/dist/${folder}`, {
    recursive: true,
    filter: (source) => !/\.[a-z]+$/.test(source) || ASSET.test(source),
  });
}
