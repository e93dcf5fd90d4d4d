import { runService } from "../runtime/run-service.ts";
import { readConfig } from "./config.ts";

await runService({
  name: "gateway",
  environment: process.env,
  readConfig,
  load: () => import("./start.ts"),
  followsCalls: true,
});
