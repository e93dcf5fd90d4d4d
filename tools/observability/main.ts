import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderDashboard } from "./dashboard.ts";
import { DASHBOARDS } from "./dashboards.ts";

/** The folder from which Grafana reads dashboards. */
const FOLDER = "deploy/grafana/dashboards";

for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(renderDashboard(dashboard)));
}
spawnSync("npx", ["biome", "format", "--write", FOLDER], { stdio: "inherit" });
