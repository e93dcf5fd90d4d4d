import { describe, expect, test } from "vitest";
import { lintFile } from "../lint-file.ts";

const SERVERS = `backend auth from web
    server auth1 10.0.0.1:4001
`;

const ROUTES = `    bind :80
    acl is_api path_beg /portcullis.auth.v1.AuthService/
    http-request deny deny_status 404 unless is_api
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    http-request del-header Forwarded
    http-request del-header X-Client-IP
    http-request del-header True-Client-IP
    http-request del-header CF-Connecting-IP
    use_backend auth if is_api
`;

/** What stands in front of "frontend public", and what comes of it: line and rule. */
const INHERITED: Readonly<Record<string, readonly [defaults: string, found: readonly string[]]>> = {
  "a mode and an option from the defaults above": [
    `defaults base
    mode http
    option forwardfor if-none
defaults web from base
    timeout client 30s
`,
    ["3 forwardfor-if-none"],
  ],
  "over two levels": [
    `defaults base
    mode http
    option forwardfor
defaults middle from base
    timeout client 30s
defaults web from middle
    timeout server 30s
`,
    ["3 forwardfor-adds-line"],
  ],
  "an option that the lower defaults take away again": [
    `defaults base
    mode http
    option forwardfor
    http-request set-header X-Forwarded-For %[src]
defaults web from base
    no option forwardfor
`,
    [],
  ],
  "rules of the defaults, before the section's own": [
    `defaults base
    mode http
    http-request set-header X-Forwarded-For %[src]
defaults web from base
    timeout client 30s
`,
    [],
  ],
  "a mode that the lower defaults change": [
    `defaults base
    mode http
defaults web from base
    mode tcp
`,
    ["4 tcp-mode"],
  ],
  "nothing of defaults that were not asked for": [
    `defaults other
    mode tcp
    option forwardfor if-none
defaults web
    mode http
    http-request set-header X-Forwarded-For %[src]
`,
    [],
  ],
};

describe("lintFile() of HAProxy reads what a section inherits", () => {
  for (const [name, [defaults, found]] of Object.entries(INHERITED)) {
    test(name, () => {
      const text = `${defaults}frontend public from web\n${ROUTES}${SERVERS}`;
      expect(findingsOf(text)).toEqual(found);
    });
  }

  test("from the latest defaults where a section does not say", () => {
    const text = `defaults
    mode http
    http-request set-header X-Forwarded-For %[src]
frontend public
${ROUTES}backend auth
    server auth1 10.0.0.1:4001
`;
    expect(findingsOf(text)).toEqual([]);
  });

  test("and refuses defaults that are not there, as HAProxy does", () => {
    const text = `frontend public from web\n    mode http\n${ROUTES}${SERVERS}`;
    expect(findingsOf(text)).toContain("1 syntax");
  });
});

function findingsOf(text: string): string[] {
  const { findings } = lintFile("haproxy.cfg", text, "haproxy", "direct");
  return findings.map(({ line, rule }) => `${line} ${rule}`);
}
