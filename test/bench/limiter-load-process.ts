import { type LoadOrder, runLoad } from "./limiter-load.ts";

// One process of the limiter benchmark: reads its order from an argument, prints its report.
const order = JSON.parse(process.argv[2] ?? "") as LoadOrder;
process.stdout.write(`${JSON.stringify(await runLoad(order))}\n`);
