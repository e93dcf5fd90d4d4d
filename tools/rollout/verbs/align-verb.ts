import { formatIpAddress, parseIpAddress } from "../../../services/runtime/ip-address.ts";
import { deploymentFrom } from "../judge/options-from-config.ts";
import { runAlign } from "../judge/run-align.ts";
import { UsageError } from "./command-line.ts";
import { createJudgeVerb } from "./judge-verb.ts";

export const align = createJudgeVerb({
  name: "align",
  summary: "measure how many hops are right",
  description: `Sends requests with and without addresses of its own in X-Forwarded-For through the edge, and
measures how many entries the proxies write, and whether they overwrite or append. Answers the one
right number of hops, or refuses with the reason why there is none.`,
  optionsHelp:
    "  --client ADDRESS  the address that the outermost proxy sees you under, where you know it\n",
  options: { client: { type: "string" } },
  judge: async (input, values) => {
    const clientAddress = readAddress(values["client"]);
    return (await runAlign({ ...deploymentFrom(input), clientAddress })).checks;
  },
});

function readAddress(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  const address = parseIpAddress(text);
  if (address === undefined) throw new UsageError("--client must be an IP address");
  return formatIpAddress(address);
}
