import { expect, test } from "vitest";
import { Outcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type GatewayAlone, startGatewayAlone } from "./gateway-alone.ts";
import { openConnection } from "./raw-connection.ts";
import { HANDSHAKE_LINES, upgradeRaw } from "./raw-request.ts";
import { connect } from "./realtime-client.ts";

const STOP_TIMEOUT_MS = 5_000;

test("a connection releases its place when it closes, and not before", async () => {
  const gateway = await startGatewayAlone();
  const client = await connect(gateway.url);
  await client.ask({ ping: {} });
  expect(gateway.limiter.released).toEqual([]);
  await client.close();
  await eventually(() => expect(gateway.limiter.released).toEqual(askedPlaces(gateway)));
  await gateway.child.stop(STOP_TIMEOUT_MS);
  expect(gateway.limiter.released).toEqual(askedPlaces(gateway));
});

test("a connection whose client goes while it is decided releases its place", async () => {
  const gateway = await startGatewayAlone({ limiterDelayMs: 200 });
  const { socket, closed } = await openConnection(gateway.url);
  socket.write(
    ["GET /gateway/realtime HTTP/1.1", "Host: a", ...HANDSHAKE_LINES, "", ""].join("\r\n"),
  );
  await eventually(() => expect(askedPlaces(gateway)).toHaveLength(1));
  socket.resetAndDestroy();
  await closed;
  await eventually(() => expect(gateway.limiter.released).toEqual(askedPlaces(gateway)));
});

test("an upgrade that is refused since the limiter is late releases the place all the same", async () => {
  const environment = { LIMITER_TIMEOUT_MS: "100" };
  const gateway = await startGatewayAlone({ limiterDelayMs: 1_000, environment });
  expect((await upgradeRaw(gateway.url, [])).status).toBe(503);
  await eventually(() => expect(gateway.limiter.released).toEqual(askedPlaces(gateway)));
});

test("an upgrade that the limiter rejects has no place to release", async () => {
  const gateway = await startGatewayAlone({ limiterOutcome: Outcome.REJECTED });
  expect((await upgradeRaw(gateway.url, [])).status).toBe(429);
  expect(askedPlaces(gateway)).toHaveLength(1);
  await gateway.child.stop(STOP_TIMEOUT_MS);
  expect(gateway.limiter.released).toEqual([]);
});

test("SIGTERM releases the places of all open connections before the process ends", async () => {
  const gateway = await startGatewayAlone();
  await Promise.all(Array.from({ length: 20 }, () => connect(gateway.url)));
  expect(await gateway.child.stop(STOP_TIMEOUT_MS)).toMatchObject({ code: 0 });
  expect(askedPlaces(gateway)).toHaveLength(20);
  expect(gateway.limiter.released.toSorted()).toEqual(askedPlaces(gateway).toSorted());
});

/** The leases that the limiter was asked for. */
function askedPlaces({ limiter }: GatewayAlone): string[] {
  return limiter.asked.flatMap(({ leaseId }) => (leaseId === "" ? [] : [leaseId]));
}
