import { toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { PublishService } from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import { type Hub, STREAMS_MAX } from "./hub.ts";

/** The largest update, as JSON. */
const UPDATE_BYTES_MAX = 64 * 1024;

/** Lets our own services publish updates. Who may call is decided by the interceptors before it. */
export function addPublishService(router: ConnectRouter, hub: Hub): void {
  router.service(PublishService, {
    publish({ datasource, json }) {
      if (!isDatasourceName(datasource)) throw invalid("datasource is not a valid name");
      if (json === undefined) throw invalid("json is required");
      if (sizeOf(json) > UPDATE_BYTES_MAX) {
        throw invalid(`json holds more than ${UPDATE_BYTES_MAX} bytes`);
      }
      const position = hub.publish(datasource, json);
      if (position === undefined) {
        const message = `there are ${STREAMS_MAX} datasources already`;
        throw new ConnectError(message, Code.FailedPrecondition);
      }
      return position;
    },
  });
}

function sizeOf(json: Value): number {
  try {
    return Buffer.byteLength(JSON.stringify(toJson(ValueSchema, json)));
  } catch {
    // Binary values can say what JSON cannot: infinities, and a value that is nothing at all.
    throw invalid("json cannot be written as JSON");
  }
}

function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
