import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkEdgeConfig } from "./check-edge-config.ts";

const GOOD = "deploy/nginx/direct.conf";

test("checkEdgeConfig() passes what is rendered, and fails an error with its mend", () => {
  expect(checkEdgeConfig([GOOD], { topology: "direct" }).verdict).toBe("pass");
  const appending = setup("nginx.conf", site("X-Forwarded-For $proxy_add_x_forwarded_for"));
  expect(checkEdgeConfig([appending], { topology: "direct" })).toMatchObject({
    verdict: "fail",
    observed: expect.stringContaining("appended-forwarded-for"),
    mend: "proxy_set_header X-Forwarded-For $remote_addr;",
  });
});

test("checkEdgeConfig() is in doubt where nothing is read, and says what would be", () => {
  const traefik = setup("traefik.yml", "entryPoints: { web: { forwardedHeaders: {} } }\n");
  for (const file of [traefik, setup("empty.conf", ""), tmpdir(), "/nonexistent/nginx.conf"]) {
    const { verdict, mend } = checkEdgeConfig([GOOD, file], { topology: "direct" });
    expect(verdict, file).toBe("inconclusive");
    expect(mend).toContain("edge.config");
  }
  expect(checkEdgeConfig([traefik], { topology: "direct" }).observed).toContain(
    "a setting of Traefik",
  );
});

test("checkEdgeConfig() is in doubt where a part could not be judged, and names it", () => {
  const script = setup("nginx.conf", site("X-Forwarded-For $from_a_module"));
  expect(checkEdgeConfig([script], { topology: "direct" })).toMatchObject({
    verdict: "inconclusive",
    observed: expect.stringContaining("$from_a_module"),
  });
  const elsewhere = setup(
    "nginx.conf",
    "server { listen 80; location / { proxy_pass http://x; } }",
  );
  expect(checkEdgeConfig([elsewhere], { topology: "direct" }).verdict).toBe("fail");
  const unknown = setup(
    "nginx.conf",
    "server { listen 80; location / { proxy_set_header X-Forwarded-For $remote_addr; proxy_pass http://x; } }",
  );
  expect(checkEdgeConfig([unknown], { topology: "direct" })).toMatchObject({
    verdict: "inconclusive",
    observed: expect.stringContaining("no route or address of Portcullis"),
  });
  // Where the services are, the rollout program was told.
  expect(checkEdgeConfig([unknown], { topology: "direct" }, ["x"]).observed).toContain(
    "internal-route-exposed",
  );
});

test("checkEdgeConfig() passes with a word about headers that no service reads", () => {
  const { verdict, observed } = checkEdgeConfig(
    [setup("nginx.conf", site("X-Forwarded-For $remote_addr"))],
    { topology: "direct" },
  );
  expect(verdict).toBe("pass");
  expect(observed).toContain("claim-header-kept");
});

/** A site that forwards one public route, with one header set. */
function site(header: string): string {
  return `server {
  listen 80;
  location = /.well-known/jwks.json {
    proxy_set_header ${header};
    proxy_pass http://127.0.0.1:4001;
  }
}
`;
}

function setup(name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "check-edge-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}
