import type { PlantedTrap } from "./planted-traps.ts";

export const ENVOY_TRAPS: readonly PlantedTrap[] = [
  {
    name: "a limiter that may be absent",
    replace: "      failure_mode_deny: true\n",
    by: "",
    rule: "rate-limit-fails-open",
    at: '"@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit',
  },
  {
    name: "a limiter that may be absent, in so many words",
    replace: "      failure_mode_deny: true\n",
    by: "      failure_mode_deny: false\n",
    rule: "rate-limit-fails-open",
    at: "failure_mode_deny: false",
  },
  {
    name: "Envoy's own 20 ms for a decision",
    replace: "      timeout: 0.5s\n",
    by: "",
    rule: "rate-limit-timeout",
    at: '"@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit',
  },
  {
    name: "a minute for a decision",
    replace: "      timeout: 0.5s\n",
    by: "      timeout: 60s\n",
    rule: "rate-limit-timeout",
    at: "timeout: 60s",
  },
];

export const ENVOY_EDGE_TRAPS: readonly PlantedTrap[] = [
  {
    name: "the address appended, as Envoy does when it is not told",
    replace: "                      append_action: OVERWRITE_IF_EXISTS_OR_ADD\n",
    by: "",
    rule: "appended-forwarded-for",
    at: "key: X-Forwarded-For",
  },
  {
    name: "every path forwarded",
    replace: "                            safe_regex: { regex: '^/gateway/realtime/why$' }\n",
    by: '                            prefix: "/"\n',
    rule: "internal-route-exposed",
    at: "- name: why",
  },
  {
    name: "no upgrade on the websocket's route",
    replace: `                            upgrade_configs:
                              - upgrade_type: websocket
`,
    by: "",
    rule: "upgrade-missing",
    at: "- name: realtime",
  },
  {
    name: "Forwarded kept",
    replace: "                    - Forwarded\n",
    by: "",
    rule: "claim-header-kept",
    at: "name: portcullis_from_anybody",
  },
  {
    name: "a trusted hop where there is none",
    replace: "                skip_xff_append: true\n",
    by: "                skip_xff_append: true\n                xff_num_trusted_hops: 1\n",
    rule: "topology-mismatch",
    at: "xff_num_trusted_hops",
  },
];
