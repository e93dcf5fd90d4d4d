import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { innerDoorUrl } from "../../edge/probe/inner-doors.ts";
import { findInnerDoors } from "./service-doors.ts";

test.each([
  ["http://10.0.0.3:8001", undefined, "http://10.0.0.3:8002"],
  ["https://gateway.internal", undefined, "https://gateway.internal:8002"],
  ["http://[2001:db8::3]:8001/x", " 8102 ", "http://[2001:db8::3]:8102"],
  ["http://10.0.0.3:8001", "0", "http://10.0.0.3:8002"],
  ["http://10.0.0.3:8001", "eight", "http://10.0.0.3:8002"],
  ["http://10.0.0.3:8001", "65536", "http://10.0.0.3:8002"],
  ["no URL", undefined, ""],
])("innerDoorUrl() of %s with port %s is %s", (serviceUrl, port, expected) => {
  expect(innerDoorUrl("gatewayRpc", serviceUrl, port)).toBe(expected);
});

test("findInnerDoors() takes what is named, else the service's file, else the usual port", async () => {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-doors-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const envFile = join(directory, "auth.env");
  writeFileSync(envFile, "AUTH_PORT=4001\nAUTH_ADMIN_PORT=4105\n");
  const services = {
    auth: { url: "http://10.0.0.1:4001", envFile },
    gateway: { url: "http://10.0.0.3:8001", envFile: join(directory, "none.env") },
  };
  expect(await findInnerDoors(services, { authAdmin: undefined, gatewayRpc: undefined })).toEqual({
    authAdmin: "http://10.0.0.1:4105",
    gatewayRpc: "http://10.0.0.3:8002",
  });
  const named = { authAdmin: "http://10.0.0.9:1", gatewayRpc: "http://10.0.0.9:2" };
  expect(await findInnerDoors(services, named)).toEqual(named);
});
