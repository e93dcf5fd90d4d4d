import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A certificate of a moment, for edge.example; its files go when the test is over. */
export function createCertificate(): { certificate: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), "edge-tls-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const [certificate, key] = [join(directory, "chain.pem"), join(directory, "key.pem")];
  const kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=edge.example", "-addext", "subjectAltName=DNS:edge.example"];
  const files = ["-keyout", key, "-out", certificate];
  const made = spawnSync("openssl", [...kind, ...files, ...subject], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  // Where HAProxy looks for it.
  copyFileSync(key, `${certificate}.key`);
  return { certificate, key };
}
