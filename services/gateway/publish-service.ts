import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { PublishService } from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import { type Hub, STREAMS_MAX } from "./hub.ts";
import { readPublishedJson } from "./published-json.ts";

/** Lets our own services publish updates. Who may call is decided by the interceptors before it. */
export function addPublishService(router: ConnectRouter, hub: Hub): void {
  router.service(PublishService, {
    publish({ datasource, ...update }) {
      if (!isDatasourceName(datasource)) throw invalid("datasource is not a valid name");
      const json = readPublishedJson(update);
      if (json.kind === "problem") throw invalid(json.problem);
      const position = hub.publish(datasource, json.text);
      if (position === undefined) {
        const message = `there are ${STREAMS_MAX} datasources already`;
        throw new ConnectError(message, Code.FailedPrecondition);
      }
      return position;
    },
  });
}

function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
