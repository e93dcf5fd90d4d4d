import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { lintFile } from "./lint-file.ts";

const nginx = (lines: string) => `${lines}
server {
  listen 80;
  location = /.well-known/jwks.json {
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_pass http://10.7.7.7:80;
  }
}
`;
const geo = (range: string) => `geo $realip_remote_addr $from_cdn { default 0; ${range} 1; }
map $from_cdn $xff { 0 $remote_addr; default $proxy_add_x_forwarded_for; }
server {
  listen 80;
  location = /.well-known/jwks.json {
    proxy_set_header X-Forwarded-For $xff;
    proxy_pass http://10.7.7.7:80;
  }
}
`;
const haproxy = (lines: string) => `frontend public
  mode http
  bind :80
  http-request set-header X-Forwarded-For %[src]
${lines}
  default_backend app
backend app
  mode http
  server one 10.7.7.7:80
`;
const caddy = (lines: string) => `:80 {\n${lines}\n\treverse_proxy 10.7.7.7:80\n}\n`;
const envoy = (address: string, bits: number) => `filter_chains:
  - filter_chain_match:
      direct_source_prefix_ranges: [{ address_prefix: "${address}", prefix_len: ${bits} }]
    filters:
      - typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          use_remote_address: true
          xff_num_trusted_hops: 1
`;

/** Who is trusted, in every proxy's words, and whether strangers are among them. */
const TRUSTED = [
  { range: "10.0.0.0/8", isFlagged: false },
  { range: "172.16.0.0/12", isFlagged: false },
  { range: "100.64.0.0/10", isFlagged: false },
  { range: "fc00::/7", isFlagged: false },
  { range: "fe80::/10", isFlagged: false },
  { range: "127.0.0.0/8", isFlagged: false },
  { range: "104.16.0.0/13", isFlagged: false },
  { range: "172.0.0.0/8", isFlagged: true },
  { range: "192.0.0.0/8", isFlagged: true },
  { range: "0.0.0.0/0", isFlagged: true },
  { range: "::/0", isFlagged: true },
  { range: "::ffff:0.0.0.0/96", isFlagged: true },
] as const;

describe("lintFile() says who is trusted to speak for clients", () => {
  for (const { range, isFlagged } of TRUSTED) {
    test(`${range} is ${isFlagged ? "too wide" : "fine"} in every proxy`, () => {
      const real = `set_real_ip_from ${range}; real_ip_header X-Forwarded-For;`;
      const [address = "", bits = ""] = range.split("/");
      const wide = [
        trustOf("nginx", nginx(real)),
        trustOf("nginx", geo(range)),
        trustOf("haproxy", haproxy(`  acl cdn src ${range}\n  use_backend app if cdn`)),
        trustOf("caddy", caddy(`\t@cdn remote_ip ${range}\n\theader @cdn X-Cdn yes`)),
        trustOf(
          "caddy",
          `{\n\tservers {\n\t\ttrusted_proxies static ${range}\n\t}\n}\n${caddy("")}`,
        ),
        trustOf("envoy", envoy(address, Number(bits))),
      ];
      expect(wide).toEqual(wide.map(() => isFlagged));
    });
  }

  test("and not whom requests are refused from", () => {
    expect(trustOf("haproxy", haproxy("  acl bad src 5.0.0.0/8\n  http-request deny if bad"))).toBe(
      false,
    );
    expect(trustOf("haproxy", haproxy("  http-request deny if { src 5.0.0.0/8 }"))).toBe(false);
    expect(trustOf("caddy", caddy("\t@bad remote_ip 5.0.0.0/8\n\tabort @bad"))).toBe(false);
  });

  test("but whom a refusal spares", () => {
    const spared = ["  http-request deny unless us", "  http-request deny if !us"];
    for (const rule of spared) {
      expect(trustOf("haproxy", haproxy(`  acl us src 5.0.0.0/8\n${rule}`)), rule).toBe(true);
    }
    expect(trustOf("caddy", caddy("\t@others not remote_ip 5.0.0.0/8\n\tabort @others"))).toBe(
      true,
    );
  });

  test("as far as a list of HAProxy's can be read", () => {
    const directory = mkdtempSync(join(tmpdir(), "edge-lists-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, "good.lst"), "# the CDN\n104.16.0.0/13\n");
    writeFileSync(join(directory, "wide.lst"), "104.16.0.0/13\n172.0.0.0/8\n");
    const rulesOf = (list: string) => {
      const text = haproxy(`  acl cdn src -f ${list}\n  use_backend app if cdn`);
      const file = join(directory, "haproxy.cfg");
      return lintFile(file, text, "haproxy", "direct").findings.map(({ rule }) => rule);
    };
    expect(rulesOf("good.lst")).toEqual([]);
    expect(rulesOf("wide.lst")).toEqual(["trusts-everyone"]);
    expect(rulesOf("absent.lst")).toEqual(["include-not-read"]);
  });
});

function trustOf(kind: "nginx" | "haproxy" | "caddy" | "envoy", text: string): boolean {
  const { findings, unread } = lintFile("edge.conf", text, kind, "cdn-append");
  expect(unread).toBeUndefined();
  return findings.some(({ rule }) => rule === "trusts-everyone");
}
