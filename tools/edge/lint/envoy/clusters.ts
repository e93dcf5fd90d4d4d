import { type Document, isMap, isScalar, visit, type YAMLMap } from "yaml";
import { readMap, readMaps, readText } from "./yaml.ts";

/** What a route leads to: a name, and the addresses behind it. */
export type EnvoyCluster = {
  name: string;
  endpoints: readonly { address: string; offset: number }[];
};

/** Every cluster of a document, by the endpoints that stand in it. */
export function readClusters(document: Document.Parsed): EnvoyCluster[] {
  const clusters: EnvoyCluster[] = [];
  visit(document, {
    Map: (_key, node) => {
      const assignment = readMap(node, "load_assignment");
      if (assignment === undefined) return;
      clusters.push({ name: readText(node, "name"), endpoints: readEndpoints(assignment) });
    },
  });
  return clusters;
}

function readEndpoints(assignment: YAMLMap): EnvoyCluster["endpoints"] {
  const localities = readMaps(assignment, "endpoints");
  return localities
    .flatMap((locality) => readMaps(locality, "lb_endpoints"))
    .flatMap((entry) => {
      const address = readMap(entry, "endpoint")?.getIn(["address", "socket_address"]);
      const port = isMap(address) ? address.get("port_value", true) : undefined;
      if (!isMap(address) || !isScalar(port)) return [];
      const text = `${readText(address, "address")}:${String(port.value)}`;
      return [{ address: text, offset: port.range?.[0] ?? 0 }];
    });
}

/** The clusters that a route's action names; none where something else chooses. */
export function clustersOf(action: YAMLMap | undefined): string[] {
  if (action === undefined) return [];
  const weighted = readMaps(readMap(action, "weighted_clusters"), "clusters");
  const names = [readText(action, "cluster"), ...weighted.map((one) => readText(one, "name"))];
  return names.filter((name) => name !== "");
}
