import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { PublishService } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import type { Hub } from "../streams/hub.ts";
import type { PublishTargets } from "../streams/publish-targets.ts";
import { readPublishedJson } from "./published-json.ts";

/** Lets our own services publish updates. The interceptors decide who may call. */
export function addPublishService(
  router: ConnectRouter,
  { hub, targets }: { hub: Hub; targets: PublishTargets },
): void {
  /** Auth admitted the present subscribers, so an outage of auth must not stop their updates. */
  const requireExisting = async (datasource: string): Promise<void> => {
    if (hub.hasSubscribers(datasource)) return;
    const existence = await targets.find(datasource);
    if (existence === "does-not-exist") {
      throw new ConnectError("datasource: there is none of that name", Code.NotFound);
    }
    if (existence === "unknown") {
      const message = "datasource: is not known here, and auth cannot be asked";
      throw new ConnectError(message, Code.Unavailable);
    }
  };

  router.service(PublishService, {
    async publish({ datasource, ...update }) {
      if (!isDatasourceName(datasource)) throw invalid("datasource is not a valid name");
      const json = readPublishedJson(update);
      if (json.kind === "problem") throw invalid(json.problem);
      await requireExisting(datasource);
      return hub.publish(datasource, json.text);
    },
  });
}

function invalid(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
