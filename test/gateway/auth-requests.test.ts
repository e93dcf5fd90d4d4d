import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { createAuthClient } from "../../services/gateway/access/auth-client.ts";
import { Secret } from "../../services/runtime/secret.ts";

const FEED = { crowd: "feed" } as const;

test("createAuthClient() asks with these bytes and no others", async () => {
  const { client, received } = await setup();
  await client.introspectToken("a token", FEED);
  await client.introspectDatasource("demo", FEED);
  await client.introspectDatasources(["demo", "other"], "publish", FEED);
  await client.listRevocations(null);
  await client.listRevocations("a cursor");
  const introspect = "POST /internal/gateway/datasource-introspect";
  const revocations = "POST /internal/gateway/revoked-tokens";
  expect(received).toEqual([
    `${introspect} {"sessionToken":"a token"}`,
    `${introspect} {"datasource":"demo"}`,
    `${introspect} {"datasources":["demo","other"],"intent":"publish"}`,
    `${revocations} {"sinceCursor":null,"limit":100}`,
    `${revocations} {"sinceCursor":"a cursor","limit":100}`,
  ]);
});

/** A client of an auth that writes down what it is asked and has no answer. */
async function setup() {
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    received.push(`${request.method} ${request.url} ${await text(request)}`);
    response.writeHead(503).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = createAuthClient({
    url: `http://127.0.0.1:${port}`,
    token: new Secret("a-service-token"),
    warn: () => {},
    crowds: async (_asker, ask) => await ask(),
  });
  return { client, received };
}
