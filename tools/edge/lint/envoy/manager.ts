import type { YAMLMap } from "yaml";
import { describeStrangers } from "../trusted-range.ts";
import { readMap, readMaps, readText } from "./yaml.ts";

/** An HTTP connection manager, and whose connections it takes. */
export type EnvoyManager = {
  node: YAMLMap;
  /** Whether only the peers of some ranges come here. */
  isRestricted: boolean;
  /** Ranges so wide that strangers are among those peers. */
  wideRanges: readonly { range: YAMLMap; message: string }[];
  usesPeer: boolean;
  trustedHops: number;
  hasDetection: boolean;
  /** Metadata, as "namespace:key", that a filter cuts out of the end of a list. */
  cutEntries: readonly string[];
};

/** Reads a manager; `around` are the maps that it stands in, the innermost last. */
export function readEnvoyManager(node: YAMLMap, around: readonly YAMLMap[]): EnvoyManager {
  const chain = around.findLast((one) => one.has("filters"));
  const match = readMap(chain, "filter_chain_match");
  const ranges = [
    ...readMaps(match, "direct_source_prefix_ranges"),
    ...readMaps(match, "source_prefix_ranges"),
  ];
  const wideRanges = ranges.flatMap((range) => {
    // Without a length the prefix is one of 0 bits.
    const bits = readText(range, "prefix_len") || "0";
    const message = describeStrangers(`${readText(range, "address_prefix")}/${bits}`);
    return message === undefined ? [] : [{ range, message }];
  });
  return {
    node,
    isRestricted: ranges.length > 0 && wideRanges.length === 0,
    wideRanges,
    usesPeer: readText(node, "use_remote_address") === "true",
    trustedHops: Number(readText(node, "xff_num_trusted_hops") || "0"),
    cutEntries: readMaps(node, "http_filters").flatMap(cutEntries),
    hasDetection: readMaps(node, "original_ip_detection_extensions").length > 0,
  };
}

function cutEntries(filter: YAMLMap): string[] {
  const rules = readMaps(readMap(filter, "typed_config"), "request_rules");
  return rules.flatMap((rule) => {
    const present = readMap(rule, "on_header_present");
    const pattern = readMap(readMap(present, "regex_value_rewrite"), "pattern");
    if (present === undefined || pattern === undefined) return [];
    const takesLast = readText(pattern, "regex").endsWith("$");
    return takesLast
      ? [`${readText(present, "metadata_namespace")}:${readText(present, "key")}`]
      : [];
  });
}
