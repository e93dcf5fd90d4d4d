import * as z from "zod";
import { HOPS_MAX } from "../../services/runtime/client-ip.ts";
import { mapSchema } from "../../services/runtime/documents/map-schema.ts";
import { parseCidr } from "../../services/runtime/ip-address.ts";
import { type Endpoint, readEndpoint, readListenEndpoints } from "./edge-config.ts";
import { PRIVATE_PORTS } from "./edge-policy.ts";
import { PRESET_NAMES } from "./presets.ts";

/** A message that begins with a colon follows the name of its field without a space. */
const notValid = {
  error: ({ input }: { input?: unknown }) => `: "${textOf(input)}" is not valid here`,
};

function textOf(input: unknown): string {
  return input === undefined || typeof input === "object" ? "" : String(input);
}

function fieldsOf<Shape extends z.core.$ZodShape>(
  shape: Shape,
  notMap = "must be a map of fields",
) {
  return mapSchema(shape, { notMap, unknownField: "has no such field" });
}

/** One value or a list of them. */
function oneOrMany<Item extends z.ZodType>(item: Item) {
  return z.union([item, z.array(item)], notValid).transform((found) => {
    return Array.isArray(found) ? found : [found];
  });
}

const domain = z.string(notValid).regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, notValid);

const PORT_MAX = 65_535;
const listen = z
  .union([z.int(notValid).min(1, notValid).max(PORT_MAX, notValid), z.string(notValid)], notValid)
  .refine((place) => readListenEndpoints(String(place)) !== undefined, notValid)
  .transform((place) => readListenEndpoints(String(place)) ?? []);

/** Only plain characters: the path is written into four configuration languages. */
const NOT_A_FILE = "must be the absolute path of a file, of plain characters";
const file = z.string(NOT_A_FILE).regex(/^\/[\w./-]+$/, NOT_A_FILE);

/** A range that holds every address would believe every client. */
const cidr = z.string(notValid).refine((text) => (parseCidr(text)?.prefixBits ?? 0) > 0, notValid);

const ONE_NAME = "must be one name";
const header = z.string(ONE_NAME).regex(/^[A-Za-z][A-Za-z0-9-]*$/, ONE_NAME);

const ENTRIES = `must be 1 to ${HOPS_MAX}`;
const entries = z.union(
  [
    z.int(ENTRIES).min(1, ENTRIES).max(HOPS_MAX, ENTRIES),
    z
      .string()
      .regex(new RegExp(`^[1-${HOPS_MAX}]$`), ENTRIES)
      .transform(Number),
  ],
  ENTRIES,
);

const endpoint = z.string(notValid).transform((text, context): Endpoint => {
  const found = readEndpoint(text);
  if (found !== undefined) return found;
  context.addIssue({ code: "custom", message: notValid.error({ input: text }) });
  return z.NEVER;
});

/** Where browsers are forwarded to: never to a port of operators and services. */
function publicUpstream(port: number) {
  return oneOrMany(endpoint)
    .superRefine((found, context) => {
      for (const [variable, own] of Object.entries(PRIVATE_PORTS)) {
        if (!found.some((place) => place.port === own)) continue;
        const message = `: ${own} is ${variable}, where no browser is answered`;
        context.addIssue({ code: "custom", message });
      }
    })
    .transform((found): readonly Endpoint[] => {
      return found.length > 0 ? found : [{ host: "127.0.0.1", port }];
    })
    .prefault([]);
}

const PEERS = "The ranges that those in front connect from; nobody else is believed.";
const HEADER = "The header in which they name the client; the topology knows the usual one.";
const ENTRY_COUNT =
  "How many entries at the end of the header are theirs; the leftmost is the client.";

/** The fields of an `edge.yaml`. */
export const edgeFields = fieldsOf(
  {
    domains: oneOrMany(domain)
      .prefault([])
      .describe("Host names that are answered; an empty list answers to any."),
    listen: oneOrMany(listen)
      .transform((found) => found.flat())
      .prefault([])
      .describe("A port, an address with a port, or a list of those; 8080 unless set."),
    topology: z
      .enum(PRESET_NAMES, `must be one of ${PRESET_NAMES.join(", ")}`)
      .default("direct")
      .describe("What stands in front of this edge."),
    tls: fieldsOf({
      certificate: file.describe("The file with the certificate chain."),
      key: file.describe("The file with the private key."),
    })
      .optional()
      .describe("With it the edge speaks TLS; without it plain HTTP."),
    peers: oneOrMany(cidr).optional().describe(PEERS),
    header: header.optional().describe(HEADER),
    entries: entries.optional().describe(ENTRY_COUNT),
    cdn: fieldsOf({
      cidrs: oneOrMany(cidr).optional().describe(PEERS),
      header: header.optional().describe(HEADER),
      entries: entries.optional().describe(ENTRY_COUNT),
    })
      .prefault({})
      .describe("The same as peers, header and entries."),
    upstreams: fieldsOf({
      auth: publicUpstream(4001).describe("Where auth is; 127.0.0.1:4001 unless set."),
      gateway: publicUpstream(8001).describe("Where the gateway is; 127.0.0.1:8001 unless set."),
      console: oneOrMany(endpoint)
        .prefault([])
        .describe("Where the console is; it is public only where it is named."),
    })
      .prefault({})
      .describe("Where the edge forwards to: one address with a port, or a list of them."),
  },
  "the file must be a map of fields",
);

export type EdgeFields = z.output<typeof edgeFields>;
