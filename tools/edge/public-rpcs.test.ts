import { expect, test } from "vitest";
import { AuthService, DatasourceService } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { ROUTES } from "./edge-policy.ts";
import { OPERATOR_PATHS } from "./private-paths.ts";
import { PUBLIC_RPC_PATHS, PUBLIC_RPCS } from "./public-rpcs.ts";

test("PUBLIC_RPCS names RPCs that there are", () => {
  const known = [AuthService, DatasourceService].map(({ typeName, methods }) => ({
    service: typeName,
    methods: methods.map(({ name }) => name),
  }));
  for (const { service, methods } of PUBLIC_RPCS) {
    const found = known.find((one) => one.service === service)?.methods ?? [];
    expect(methods.filter((method) => !found.includes(method))).toEqual([]);
  }
});

test("an RPC that nobody named is no route, whatever its service", () => {
  const isRoute = (path: string) => ROUTES.some(({ pattern }) => new RegExp(pattern).test(path));
  expect(PUBLIC_RPC_PATHS.filter((path) => !isRoute(path))).toEqual([]);
  expect(OPERATOR_PATHS).toContain("/portcullis.auth.v1.DatasourceService/Put");
  const unnamed = PUBLIC_RPC_PATHS.flatMap((path) => [
    `${path}X`,
    `/x${path}`,
    `${path}/`,
    `${path}\n`,
    path.replace(/\w+$/, "BrandNew"),
    path.replaceAll(".", "X"),
  ]);
  expect([...OPERATOR_PATHS, ...unnamed].filter(isRoute)).toEqual([]);
});
