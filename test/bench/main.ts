import pc from "picocolors";

/** The benchmarks by name; all figures that one prints come from one run. */
const benchmarks: Readonly<Record<string, () => Promise<{ run(): Promise<void> }>>> = {
  limiter: async () => await import("./limiter.ts"),
  identity: async () => await import("./identity.ts"),
  rpc: async () => await import("./rpc.ts"),
  engines: async () => await import("./engines.ts"),
  "way-in": async () => await import("./way-in.ts"),
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => benchmarks[name] === undefined);
if (unknown.length > 0) {
  const known = Object.keys(benchmarks).join(", ");
  process.stderr.write(`no benchmark ${unknown.join(", ")}; there are ${known}\n`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(benchmarks)) {
  process.stdout.write(pc.bold(`\n${name}\n`));
  await (await benchmarks[name]?.())?.run();
}
