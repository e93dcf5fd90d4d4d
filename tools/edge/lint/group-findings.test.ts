import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { groupFindings } from "./finding.ts";
import { lintFile } from "./lint-file.ts";

const SITES = 20;

const PROXY_CONF = `proxy_set_header Host $host;
proxy_set_header X-Real-IP $http_x_real_ip;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
`;

test("lintFile() has one finding for a cause, with the number of places that it reaches", () => {
  const { main, included } = setup();
  const { findings } = lintFile(main.file, main.text, "nginx", "direct");
  expect(findings.map(({ file, line, rule, places }) => ({ file, line, rule, places }))).toEqual([
    { file: included, line: 3, rule: "appended-forwarded-for", places: SITES },
    { file: included, line: 3, rule: "identity-header-missing", places: SITES },
    { file: included, line: 3, rule: "claim-header-kept", places: SITES },
  ]);
});

test("groupFindings() keeps what another rule says of the line, and says how bad each is", () => {
  const at = { file: "x", message: "m", mend: "d" };
  const grouped = groupFindings([
    { ...at, line: 7, rule: "claim-header-kept", place: "a" },
    { ...at, line: 2, rule: "appended-forwarded-for", place: "a" },
    { ...at, line: 2, rule: "appended-forwarded-for", place: "a" },
    { ...at, line: 2, rule: "appended-forwarded-for", place: "b" },
    { ...at, line: 2, rule: "tcp-mode" },
  ]);
  expect(grouped).toEqual([
    { ...at, line: 2, rule: "appended-forwarded-for", severity: "error", places: 2 },
    { ...at, line: 2, rule: "tcp-mode", severity: "error", places: 1 },
    { ...at, line: 7, rule: "claim-header-kept", severity: "warning", places: 1 },
  ]);
});

test("lintFile() says by which topology it judged, and whether that was an assumption", () => {
  const text = "server { listen 80; location / { proxy_pass http://10.0.0.1:4001; } }";
  const assumed = lintFile("edge.conf", text, "nginx", undefined);
  expect(assumed.assumed).toBe("direct");
  expect(assumed.findings.map(({ topology }) => topology)).toContain("direct");
  expect(lintFile("edge.conf", text, "nginx", "cdn").assumed).toBeUndefined();
  const declared = `# Portcullis edge: proxy=nginx topology=cdn\n${text}`;
  expect(lintFile("edge.conf", declared, "nginx", undefined).assumed).toBeUndefined();
});

/** Many sites that forward to auth, and the file that they include. */
function setup() {
  const directory = mkdtempSync(join(tmpdir(), "edge-sites-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "sites"));
  const included = join(directory, "proxy.conf");
  writeFileSync(included, PROXY_CONF);
  for (let site = 1; site <= SITES; site += 1) {
    const text = `server {
  listen 80;
  server_name site${site}.example;
  location /portcullis.auth.v1.AuthService/ {
    include proxy.conf;
    proxy_pass http://127.0.0.1:4001;
  }
}
`;
    writeFileSync(join(directory, "sites", `${site}.conf`), text);
  }
  const main = {
    file: join(directory, "nginx.conf"),
    text: "events {}\nhttp { include sites/*; }\n",
  };
  return { main, included };
}
