import { createTestClient } from "./test-client.ts";

/**
 * A process whose first act is to consume many limits at once, and then one more. Prints how many
 * got no decision, and whether the last one got one.
 */
const [url = "", requests = "", timeoutMs = ""] = process.argv.slice(2);
const client = await createTestClient(url, { timeoutMs: Number(timeoutMs) });
const bucket = (key: string) => ({ policy: "login.ip", key });
const verdicts = await Promise.all(
  Array.from({ length: Number(requests) }, (_, index) =>
    client.consume([bucket(`${process.pid} ${index}`)]),
  ),
);
const undecided = verdicts.filter(({ kind }) => kind === "no-decision").length;
const { kind } = await client.consume([bucket("bystander")]);
process.stdout.write(JSON.stringify({ undecided, next: kind }));
client.close();
