import { createLogger } from "../../services/runtime/log.ts";

/** More lines than any pipe holds. The process then reports on standard error that it goes on. */
const LINES = 20_000;

const { log, output } = createLogger("chatty", "info");
for (let line = 0; line < LINES; line++) log.info({ line }, "one of many lines of a busy service");
setImmediate(() => process.stderr.write("alive\n"));
process.on("SIGTERM", async () => {
  await output.settled();
  process.exit(0);
});
setInterval(() => undefined, 1_000);
