import { runService } from "../runtime/run-service.ts";
import { readConfig } from "./config.ts";
import { HEAD_BYTES_MAX, HEAD_BYTES_VARIABLE } from "./socket/request-head.ts";

process.env[HEAD_BYTES_VARIABLE] = String(HEAD_BYTES_MAX);

await runService({
  name: "gateway",
  environment: process.env,
  readConfig,
  load: () => import("./start.ts"),
  followsCalls: true,
});
