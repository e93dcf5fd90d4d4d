import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { detectKind, lintFile } from "../../tools/edge/lint/lint-file.ts";

/**
 * A rendered file as somebody edits it later: each line that decides who the client is, or what is
 * forwarded, is taken away or altered, one at a time, and the linter has to notice. Lines that are
 * a second net (names that no service reads, limits, underscores) are not in the table.
 */

/** One change of one line. */
type Mutation = { name: string; change: (line: string) => string | undefined };

/** What a line is called here, which lines it is, and what must not go unnoticed. */
type Case = {
  files: readonly string[];
  line: RegExp;
  mutations: readonly Mutation[];
};

const deleted: Mutation = { name: "deleted", change: () => undefined };
const altered = (from: string | RegExp, to: string): Mutation => ({
  name: `with ${to} for ${from}`,
  change: (line) => line.replace(from, () => to),
});

const ALL = ["direct", "cdn", "cdn-append"] as const;
const FORWARDED = /http-request (set|add)-header X-Forwarded-For (?!'?%\[req)/;
const TO_PEER = /%\[(src|var\(txn\.client\))\]/;
const CLAIM = "(Forwarded|X-Client-IP|True-Client-IP|CF-Connecting-IP)";

const HAPROXY: readonly Case[] = [
  {
    files: ALL,
    line: FORWARDED,
    mutations: [
      deleted,
      altered(TO_PEER, "%[req.hdr(X-Foo)]"),
      altered(TO_PEER, "%[req.hdr(X-Forwarded-For)]"),
      altered(TO_PEER, "%[url_param(ip)]"),
      altered(TO_PEER, "10.0.0.1"),
      altered(/$/, " if { req.hdr(X-Debug) -m found }"),
      altered(/$/, " if { path_beg /portcullis. }"),
      altered("http-request", "# http-request"),
      altered(/X-Forwarded-For/, "X-Forwarded-Fore"),
      altered(/http-request.*/, "option forwardfor header X-Foo"),
    ],
  },
  {
    files: ["direct", "cdn"],
    line: FORWARDED,
    mutations: [
      altered("set-header", "add-header"),
      altered(/http-request.*/, "option forwardfor"),
      altered(/http-request.*/, "option forwardfor if-none"),
    ],
  },
  {
    files: ALL,
    line: /(set|del)-header X-Real-IP/,
    mutations: [
      deleted,
      altered(/(set|del)-header.*/, "set-header X-Real-IP %[req.hdr(X-Real-IP)]"),
      altered(/$/, " if { req.hdr(X-Debug) -m found }"),
    ],
  },
  {
    files: ALL,
    line: /set-header X-Forwarded-Proto/,
    mutations: [deleted, altered(/%\[.*\]/, "%[req.hdr(X-Debug)]")],
  },
  {
    files: ALL,
    line: new RegExp(`del-header ${CLAIM}$`),
    mutations: [deleted, altered(/$/, " if { req.hdr(X-Debug) -m found }")],
  },
  {
    files: ALL,
    line: /acl route_\w+ path_reg/,
    mutations: [
      altered(/path_reg.*/, "path_beg /"),
      altered(/path_reg.*/, "path_reg (?s).*"),
      altered(/path_reg.*/, "always_true"),
      altered(/path_reg.*/, "req.hdr(X-Debug) -m found"),
      altered(/path_reg.*/, "path -f /etc/hosts"),
    ],
  },
  {
    files: ALL,
    line: /http-request deny deny_status 404/,
    mutations: [
      altered(/.*/, "    default_backend portcullis_auth"),
      altered(/.*/, "    use_backend %[path,map_beg(/etc/hosts,portcullis_auth)]"),
    ],
  },
  { files: ALL, line: /^ {4}mode http/, mutations: [deleted, altered("http", "tcp")] },
  {
    files: ["cdn", "cdn-append"],
    line: /acl from_cdn/,
    mutations: [deleted, altered(/src .*/, "src 0.0.0.0/0"), altered(/src .*/, "src ::/0")],
  },
  {
    files: ["cdn"],
    line: /set-var\(txn\.client\)/,
    mutations: [deleted, altered(/\) (src|req.*)/, ") req.hdr(X-Foo)")],
  },
  {
    files: ["cdn"],
    line: /set-var\(txn\.client\) req/,
    mutations: [
      altered("if from_cdn", "if"),
      altered("if from_cdn", "if !from_cdn"),
      altered(/ if from_cdn.*/, ""),
    ],
  },
  {
    files: ["cdn"],
    line: /set-header X-Forwarded-For '%\[req/,
    mutations: [deleted, altered("(-1,", "(1,"), altered("if from_cdn", "if !from_cdn")],
  },
  {
    files: ["cdn-append"],
    line: /del-header X-Forwarded-For/,
    mutations: [
      deleted,
      altered("!from_cdn", "from_cdn"),
      altered(" if !from_cdn", ""),
      altered("!from_cdn", "{ req.hdr(X-Debug) -m found }"),
    ],
  },
];

const CADDY_FORWARDED = /header_up X-Forwarded-For/;

const CADDY: readonly Case[] = [
  {
    files: ["direct", "cdn"],
    line: CADDY_FORWARDED,
    mutations: [
      altered(/\{.*\}/, "{header.X-Forwarded-For}"),
      altered(/\{.*\}/, "{http.request.header.X-Foo}"),
      altered(/\{.*\}/, "{query.ip}"),
      altered(/\{.*\}/, "{vars.unknown}"),
      altered(/\{.*\}/, "10.0.0.1"),
      altered("header_up ", "header_up +"),
      altered("header_up ", "header_up -"),
    ],
  },
  // In topology direct Caddy writes the same by itself.
  { files: ["cdn"], line: CADDY_FORWARDED, mutations: [deleted] },
  {
    files: ALL,
    line: /header_up -?X-Real-IP/,
    mutations: [deleted, altered(/header_up.*/, "header_up X-Real-IP {header.X-Real-IP}")],
  },
  {
    files: ALL,
    line: /header_up X-Forwarded-Proto/,
    mutations: [altered(/\{.*\}/, "{header.X-Forwarded-Proto}")],
  },
  { files: ALL, line: new RegExp(`header_up -${CLAIM}$`), mutations: [deleted] },
  {
    files: ALL,
    line: /^\t@\w+ vars \{portcullis_route\}/,
    mutations: [
      deleted,
      altered(/vars .*/, "path *"),
      altered(/vars .*/, "path /portcullis* /internal/*"),
      altered(/vars .*/, "not path /foo"),
      altered(/vars .*/, "header X-Debug *"),
      altered(/ \w+$/, " none"),
    ],
  },
  {
    files: ALL,
    line: /^\thandle @\w+/,
    mutations: [altered(/@\w+/, ""), altered(/@\w+/, "/*"), altered(/@\w+/, "/internal/*")],
  },
  {
    files: ALL,
    line: /^\t\t~\^\/.* \w+$/,
    mutations: [altered(/~\S+/, "~.*"), altered(/~\S+/, "~(?s)x"), altered("~^", "~")],
  },
  {
    files: ["cdn"],
    line: /remote_ip/,
    mutations: [altered(/remote_ip.*/, "remote_ip 0.0.0.0/0")],
  },
  {
    files: ["cdn"],
    line: /^\t@from_cdn \{/,
    mutations: [altered(/.*/, "\t@from_cdn {\n\t\theader X *\n\t}\n\t@unused {")],
  },
  {
    files: ["cdn"],
    line: /vars (@from_cdn )?portcullis_client/,
    mutations: [deleted],
  },
  {
    files: ["cdn"],
    line: /vars portcullis_client/,
    mutations: [altered(/\{.*\}/, "{header.X-Foo}")],
  },
  {
    files: ["cdn"],
    line: /vars @from_cdn portcullis_client/,
    mutations: [
      altered("@from_cdn ", ""),
      altered(/\{.*\}/, "{header.X-Forwarded-For}"),
      altered(/\{.*\}/, "{client_ip}"),
    ],
  },
  { files: ["cdn"], line: /\(\?P<ip>.*\$` /, mutations: [altered("$`", "`")] },
  {
    files: ["cdn-append"],
    line: /^\t+trusted_proxies/,
    mutations: [deleted, altered(/trusted_proxies.*/, "trusted_proxies 0.0.0.0/0")],
  },
];

const ENVOY: readonly Case[] = [
  {
    files: ALL,
    line: /key: X-Forwarded-For/,
    mutations: [
      altered("X-Forwarded-For", "X-Foo"),
      altered(/%.*%/, "%REQ(X-FORWARDED-FOR)%"),
      altered(/%.*%/, "%DYNAMIC_METADATA(a:b)%"),
      altered(/%.*%/, "10.0.0.1"),
    ],
  },
  // A header of the CDN's may be of any name, so only strangers' connections are without doubt.
  {
    files: ALL,
    line: /^ {20}- .*DIRECT_REMOTE_ADDRESS/,
    mutations: [altered(/%.*%/, "%REQ(X-FOO)%")],
  },
  {
    files: ["direct"],
    line: /key: X-Forwarded-Proto/,
    mutations: [altered(/value: ".*"/, 'value: "%REQ(X-FORWARDED-PROTO)%"')],
  },
  { files: ["direct", "cdn"], line: /key: X-Real-IP/, mutations: [altered("X-Real-IP", "X-Foo")] },
  {
    files: ALL,
    line: new RegExp(`^ +- (X-Real-IP|${CLAIM})$`),
    mutations: [deleted],
  },
  {
    files: ALL,
    line: /safe_regex/,
    mutations: [
      altered(/safe_regex.*/, 'prefix: "/"'),
      altered(/safe_regex.*/, "safe_regex: { regex: '(?i)/(internal|gateway|portcullis).*' }"),
      altered(/safe_regex.*/, "safe_regex: { regex: '(?s).*' }"),
      altered(/safe_regex.*/, "path_match_policy: {}"),
    ],
  },
  // In topology cdn-append the CDN's connections have X-Forwarded-Proto there, which Envoy writes.
  {
    files: ["direct", "cdn"],
    line: /request_headers_to_add/,
    mutations: [altered("request", "response")],
  },
  { files: ALL, line: /request_headers_to_remove/, mutations: [altered("request", "response")] },
  {
    files: ALL,
    line: /normalize_path/,
    mutations: [deleted, altered("true", "false")],
  },
  // In topology cdn the routes say who the client is, whatever Envoy takes for the address.
  {
    files: ["direct", "cdn-append"],
    line: /use_remote_address/,
    mutations: [
      altered("true", "false"),
      altered(
        /use_remote.*/,
        "use_remote_address: false\n                original_ip_detection_extensions: [{ name: x }]",
      ),
    ],
  },
  { files: ["cdn"], line: /regex_value_rewrite|key: client/, mutations: [altered(/\w+:/, "x:")] },
  {
    files: ["cdn", "cdn-append"],
    line: /direct_source_prefix_ranges/,
    mutations: [altered("direct_source_prefix_ranges", "x_ranges")],
  },
  {
    files: ["cdn", "cdn-append"],
    line: /prefix_len/,
    mutations: [altered(/prefix_len: \d+/, "prefix_len: 0")],
  },
];

const PROXIES = [
  { path: (topology: string) => `haproxy/${topology}.cfg`, cases: HAPROXY },
  { path: (topology: string) => `caddy/${topology}.Caddyfile`, cases: CADDY },
  { path: (topology: string) => `envoy/${topology}.yaml`, cases: ENVOY },
];

for (const { path, cases } of PROXIES) {
  for (const topology of ALL) {
    const file = path(topology);
    describe(`lintFile() of deploy/${file}`, () => {
      const text = readFileSync(new URL(`../../deploy/${file}`, import.meta.url), "utf8");
      const kind = detectKind(file, text) ?? "settings";
      const lines = text.split("\n");
      const fitting = cases.filter(({ files }) => files.includes(topology));
      for (const { line, mutations } of fitting) {
        const hits = [...lines.keys()].filter((at) => line.test(lines[at] ?? ""));
        for (const mutation of mutations) {
          test(`finds ${line.source} ${mutation.name}, on each line`, () => {
            expect(hits).not.toEqual([]);
            const unnoticed = hits.filter((at) => {
              const mutant = mutate(lines, at, mutation);
              return lintFile(file, mutant, kind, undefined).findings.length === 0;
            });
            expect(unnoticed.map((at) => `${at + 1}: ${lines[at]}`)).toEqual([]);
          });
        }
      }
    });
  }
}

function mutate(lines: readonly string[], at: number, { change }: Mutation): string {
  const changed = change(lines[at] ?? "");
  expect(changed).not.toBe(lines[at]);
  return lines.toSpliced(at, 1, ...(changed === undefined ? [] : [changed])).join("\n");
}
