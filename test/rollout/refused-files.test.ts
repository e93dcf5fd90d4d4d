import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFakeDeployment } from "./rollout-fixture.ts";

const VALID = {
  NODE_ENV: "test",
  DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
};
const AN_HOUR_MS = 3_600_000;

test.each<[string, Readonly<Record<string, string>>, RegExp]>([
  ["is invalid", { AUTH_PORT: "70000" }, /auth\.env: AUTH_PORT must be/],
  ["names a torn policies file", { LIMITER_POLICIES_FILE: "torn.yaml" }, /auth\.env: torn\.yaml/],
  ["names a policies file that is gone", { LIMITER_POLICIES_FILE: "gone.yaml" }, /gone\.yaml/],
  [
    "opens a surface that the plan does not name",
    {
      SECURITY_LIMITER_FAILURE_MODE: "fail-open",
      SECURITY_LIMITER_FAIL_OPEN_CHANGE: "CHG-1",
      SECURITY_LIMITER_FAIL_OPEN_UNTIL: new Date(Date.now() + AN_HOUR_MS).toISOString(),
    },
    /auth\.env: auth would run fail-open/,
  ],
])("stage next refuses before anything is touched when a file %s", async (_title, bad, reason) => {
  const { deployment, write } = await setup();
  await write(bad);
  const refused = await deployment.run("stage", "next", "api");
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(reason) });
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy"]);
  expect(await deployment.journal()).toMatchObject({
    timer: null,
    state: { position: "proxy", activity: { kind: "settled" } },
  });
  expect(await deployment.run("stage", "next", "--dry-run")).toMatchObject({ exitCode: 1 });

  await write({});
  expect(await deployment.run("stage", "next", "api")).toMatchObject({ exitCode: 0 });
});

test("stage next refuses a file that is named and not there", async () => {
  const deployment = await createFakeDeployment({ envFiles: { gateway: "gone.env" } });
  onTestFinished(deployment.remove);
  const refused = await deployment.run("stage", "next");
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("gone.env") });
  expect(await deployment.log()).toEqual([]);
});

async function setup() {
  const deployment = await createFakeDeployment({ envFiles: { auth: "auth.env" } });
  onTestFinished(deployment.remove);
  const write = async (variables: Readonly<Record<string, string>>) => {
    const lines = Object.entries({ ...VALID, ...variables }).map(
      ([name, value]) => `${name}=${value}`,
    );
    await writeFile(join(deployment.directory, "auth.env"), lines.join("\n"));
  };
  await writeFile(join(deployment.directory, "torn.yaml"), "policies: {");
  await write({});
  await deployment.run("stage", "next");
  await deployment.run("stage", "confirm");
  return { deployment, write };
}
