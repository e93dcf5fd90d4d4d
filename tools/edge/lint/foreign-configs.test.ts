import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { detectKind, lintFile } from "./lint-file.ts";

/** Configurations as other projects publish them, with what is worth saying of each. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  "authelia.Caddyfile": [],
  "authelia.conf": [],
  "cloudflare.Caddyfile": [],
  "envoy-front.yaml": ["11 appended-forwarded-for"],
  "gitlab.conf": ["26 appended-forwarded-for"],
  "grafana.conf": ["13 missing-forwarded-for", "20 missing-forwarded-for"],
  "haproxy-hosts.cfg": ["9 forwardfor-adds-line"],
  "haproxy-inherited.cfg": ["3 forwardfor-if-none"],
  "haproxy-tcp.cfg": ["22 forwardfor-adds-line"],
  "homeassistant.conf": ["11 appended-forwarded-for"],
  "keycloak.conf": ["9 missing-forwarded-for"],
  "mastodon.conf": ["31 appended-forwarded-for", "45 appended-forwarded-for"],
  "nextcloud.conf": [],
  "nginx-proxy.conf": ["15 appended-forwarded-for"],
  "synapse.conf": [],
  "tcp-balancer.conf": [],
  "vaultwarden.Caddyfile": [],
  "wordpress-cloudflare.conf": [],
};

const FOLDER = new URL("../../../test/edge/configs/foreign/", import.meta.url);

describe("lintFile() says of another application's configuration what is worth saying", () => {
  test("and every one of these is looked at", () => {
    expect(readdirSync(FOLDER).toSorted()).toEqual(Object.keys(FOREIGN).toSorted());
  });

  for (const [name, expected] of Object.entries(FOREIGN)) {
    test(`${name}: ${expected.join(", ") || "nothing"}`, () => {
      const text = readFileSync(new URL(name, FOLDER), "utf8");
      const { findings, unread } = lintFile(name, text, detectKind(name, text), undefined);
      expect(findings.map(({ line, rule }) => `${line} ${rule}`)).toEqual(expected);
      expect(unread).toBeUndefined();
    });
  }
});

test("lintFile() notes that no route was judged where nothing shows where Portcullis is", () => {
  const text = "server { listen 80; location / { proxy_pass http://10.1.1.1:80; } }";
  const { notes } = lintFile("edge.conf", text, "nginx", "direct");
  expect(notes).toEqual([expect.stringMatching(/^edge\.conf: no route or address of Portcullis/)]);
  const named = lintFile("edge.conf", text, "nginx", "direct", ["10.1.1.1:80"]);
  expect(named.notes).toEqual([]);
  expect(named.findings.map(({ rule }) => rule)).toContain("internal-route-exposed");
});
