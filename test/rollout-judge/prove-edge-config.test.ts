import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { proveEdgeConfig } from "../../tools/rollout/judge/prove-edge-config.ts";
import type { Check } from "../../tools/rollout/terms/verdict.ts";

const LINTED: Check = {
  ...{ id: "edge.config", title: "", why: "", verdict: "pass", observed: "linted", mend: "" },
};

test("proveEdgeConfig() fails where the running proxy believes a client", async () => {
  const file = setup(site("X-Forwarded-For $proxy_add_x_forwarded_for"));
  const { verdict, observed, mend } = await prove(file);
  expect(verdict).toBe("fail");
  expect(observed).toContain("appended-forwarded-for: on POST /portcullis.auth.v1.AuthService/");
  expect(observed).toContain('10.0.0.1:4001 saw "X-Forwarded-For: 203.0.113.77, 127.8.');
  expect(mend).toContain("overwrite X-Forwarded-For");
});

test("proveEdgeConfig() says with how many requests a file was proved", async () => {
  const { verdict, observed } = await prove(setup(site("X-Forwarded-For $remote_addr")));
  expect(verdict).toBe("pass");
  expect(observed).toMatch(/^linted; .*nginx\.conf was proved with \d+ requests through nginx$/);
});

test("proveEdgeConfig() lets a file pass that is as it was rendered, for its topology", async () => {
  const file = "deploy/nginx/direct.conf";
  expect((await prove(file)).observed).toBe(`linted; ${file} is as it was rendered`);
  expect(await proveEdgeConfig(LINTED, [file], "cdn", [])).toMatchObject({ verdict: "fail" });
});

test("proveEdgeConfig() holds nothing against a file that cannot be run here", async () => {
  const { verdict, observed } = await prove(setup("http { include /nowhere-at-all.conf; }\n"));
  expect(verdict).toBe("pass");
  expect(observed).toContain("was not proved: ");
});

async function prove(file: string): Promise<Check> {
  return await proveEdgeConfig(LINTED, [file], "direct", []);
}

function site(header: string): string {
  return `server {
  listen 80;
  location /portcullis.auth.v1.AuthService/ {
    proxy_set_header ${header};
    proxy_set_header X-Real-IP $remote_addr;
    proxy_pass http://10.0.0.1:4001;
  }
}
`;
}

function setup(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "prove-edge-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "nginx.conf");
  writeFileSync(file, text);
  return file;
}
