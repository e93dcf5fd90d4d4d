import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { eventually } from "../fixtures/eventually.ts";
import { connect } from "../fixtures/realtime-connection.ts";
import { mintToken, signIn } from "../fixtures/sign-in.ts";
import { startUp, type UpProcess } from "../fixtures/up-process.ts";

let up: UpProcess;

beforeAll(async () => {
  up = await startUp();
  await up.waitForOutput("portcullis is ready");
});
afterAll(async () => await up.dispose());

test("somebody signs in, watches live updates, and is cut off when the token is revoked", async () => {
  const accessToken = await signIn(up.urls);
  const token = await mintToken(up.urls, "demo-private", accessToken);
  const connection = await connect(up.urls.gateway);
  expect(
    await connection.request({ subscribe: { datasource: "demo-private", token } }),
  ).toHaveProperty("ack");
  await eventually(() => expect(connection.updates("demo-private").length).toBeGreaterThan(1));

  await call(
    `${up.urls.auth}/portcullis.auth.v1.DatasourceService/RevokeToken`,
    { token },
    { token: accessToken },
  );
  expect(await connection.waitFor("status")).toMatchObject({
    status: { state: "STATE_ENDED", reason: "revoked" },
  });
  connection.close();
});

test("every service can be scraped", async () => {
  for (const url of Object.values(up.metricsUrls)) {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("# TYPE ");
  }
});
