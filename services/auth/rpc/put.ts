import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type DatasourceService, Visibility } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Database } from "../store/database.ts";
import { putDatasource } from "../store/datasource-store.ts";
import { actorKey, unauthenticated } from "./actor.ts";

export type PutOptions = { administrationDb: Database; clock: Clock };

/** Put: for the operator. */
export function createPut({
  administrationDb,
  clock,
}: PutOptions): ServiceImpl<typeof DatasourceService>["put"] {
  return async ({ datasource, visibility, revokeTokens }, { values }) => {
    const actor = values.get(actorKey);
    if (actor.kind === "anonymous") throw unauthenticated();
    if (actor.kind !== "operator") {
      throw new ConnectError("only the operator may do this", Code.PermissionDenied);
    }
    const change = {
      name: datasource,
      visibility: visibility === Visibility.PUBLIC ? "public" : "private",
      revokesTokens: revokeTokens,
      now: new Date(clock.nowMs()),
    } as const;
    const accessVersion = await administrationDb.run(
      "operator",
      async (queryable) => await putDatasource(queryable, change),
      "known",
    );
    return { accessVersion: BigInt(accessVersion) };
  };
}
