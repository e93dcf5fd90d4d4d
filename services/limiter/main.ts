import { runService } from "../runtime/run-service.ts";
import { readConfig } from "./config.ts";

await runService({
  name: "limiter",
  environment: process.env,
  readConfig,
  load: () => import("./start.ts"),
  followsCalls: false,
});
