import { execFileSync } from "node:child_process";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readFile,
  rename,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { EMPTY_JOURNAL } from "../../tools/rollout/state/journal.ts";
import { createFakeDeployment, type FakeDeployment } from "./rollout-fixture.ts";

/** A foreign user id: what it owns could be an attacker's. */
const STRANGER = 65_534;
const isRoot = process.geteuid?.() === 0;

describe.runIf(isRoot)("a place that somebody else could have made", () => {
  test.each<[string, (d: FakeDeployment) => Promise<string>, RegExp]>([
    [
      "a state directory of another user",
      async ({ directory }) => {
        const state = join(directory, "state");
        await mkdir(state);
        await chown(state, STRANGER, STRANGER);
        return state;
      },
      /owner 65534, mode 0755.*chown 0 \S+state/,
    ],
    [
      "a state directory that everybody can write to",
      async ({ directory }) => {
        const state = join(directory, "state");
        await mkdir(state);
        await chmod(state, 0o777);
        return state;
      },
      /owner 0, mode 0777.*chmod go-w \S+state/,
    ],
    [
      "a state directory that a group can write to",
      async ({ directory }) => {
        const state = join(directory, "state");
        await mkdir(state);
        await chmod(state, 0o770);
        return state;
      },
      /owner 0, mode 0770.*chmod go-w \S+state/,
    ],
    [
      "a link in the place of the state directory",
      async ({ directory }) => {
        const state = join(directory, "state");
        await mkdir(join(directory, "elsewhere"));
        await symlink("elsewhere", state);
        return state;
      },
      /is a link to elsewhere .*rm \S+state/,
    ],
    [
      "a link that leads nowhere in the place of the state directory",
      async ({ directory }) => {
        await symlink("/nonexistent/place", join(directory, "state"));
        return join(directory, "state");
      },
      /is a link to \/nonexistent\/place/,
    ],
    [
      "a shared directory that keeps a stranger's file",
      async ({ directory }) => {
        const state = join(directory, "state");
        await mkdir(state);
        await chmod(state, 0o1777);
        await writeFile(join(state, "journal.json"), "{}");
        await chown(join(state, "journal.json"), STRANGER, STRANGER);
        return state;
      },
      /owner 0, mode 1777/,
    ],
    [
      "a parent directory that everybody can write to",
      async ({ directory }) => {
        await chmod(directory, 0o777);
        return directory;
      },
      /owner 0, mode 0777.*chmod go-w/,
    ],
    [
      "a parent directory of another user",
      async ({ directory }) => {
        await chown(directory, STRANGER, STRANGER);
        return directory;
      },
      /owner 65534, mode 0700.*chown 0/,
    ],
  ])("%s is refused by every verb that changes things", async (_what, plant, reason) => {
    const deployment = await setup();
    const place = await plant(deployment);
    for (const verb of [["stage", "next"], ["rollback"], ["stage", "status"]]) {
      const run = await deployment.run(...verb);
      expect([1, 2], verb.join(" ")).toContain(run.exitCode);
      expect(run.stderr).toContain(place);
      expect(run.stderr).toMatch(reason);
    }
    expect(await deployment.log()).toEqual([]);
  });

  test("another user's link on the way to the state directory is not followed", async () => {
    const deployment = await setup();
    const elsewhere = join(deployment.directory, "elsewhere");
    await mkdir(elsewhere);
    const config = join(deployment.directory, "rollout.yaml");
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace("stateDir: state", "stateDir: way/state"));
    await symlink("elsewhere", join(deployment.directory, "way"));
    execFileSync("chown", ["-h", String(STRANGER), join(deployment.directory, "way")]);
    const run = await deployment.run("stage", "next");
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/way is a link of another user \(owner 65534/);
    expect(await deployment.log()).toEqual([]);
  });

  test.each<[string, (file: string) => Promise<void>, RegExp]>([
    ["belongs to another user", (file) => chown(file, STRANGER, STRANGER), /owner 65534, mode/],
    ["can be written by everybody", (file) => chmod(file, 0o666), /mode 0666.*chmod go-w/],
    ["can be written by a group", (file) => chmod(file, 0o660), /mode 0660.*chmod go-w/],
    [
      "is another user's link",
      async (file) => {
        await rename(file, `${file}.true`);
        await symlink(`${file}.true`, file);
        execFileSync("chown", ["-h", String(STRANGER), file]);
      },
      /is a link of another user/,
    ],
    [
      "is a pipe",
      async (file) => {
        await rename(file, `${file}.true`);
        execFileSync("mkfifo", [file]);
      },
      /is a pipe/,
    ],
  ])("a rollout.yaml that %s runs nothing", async (_what, plant, reason) => {
    const deployment = await setup();
    await plant(join(deployment.directory, "rollout.yaml"));
    const run = await deployment.run("stage", "next");
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toMatch(reason);
    expect(await deployment.log()).toEqual([]);
  });

  test("a rollout.yaml behind the operator's own link is read", async () => {
    const deployment = await setup();
    const file = join(deployment.directory, "rollout.yaml");
    await rename(file, `${file}.true`);
    await symlink("rollout.yaml.true", file);
    expect(await deployment.run("stage", "next")).toMatchObject({ exitCode: 0 });
  });
});

test.each(["journal.json", "evidence.jsonl", "evidence.head.json", "timer.log", "output.txt"])(
  "a link in the place of %s overwrites nobody's file, and is not read",
  async (name) => {
    const deployment = await setup();
    const victim = join(deployment.directory, "victim");
    await writeFile(victim, "the victim's\n");
    await mkdir(join(deployment.directory, "state"), { mode: 0o700 });
    await symlink(victim, join(deployment.directory, "state", name));
    await deployment.run("stage", "next");
    await deployment.run("rollback");
    expect(await readFile(victim, "utf8")).toBe("the victim's\n");
  },
);

test.each(["journal.json", "evidence.jsonl", "evidence.head.json", "timer.log"])(
  "a second name of a file in the place of %s is refused, and the file stays as it is",
  async (name) => {
    const deployment = await setup();
    const victim = join(deployment.directory, "victim");
    await writeFile(victim, "the victim's\n");
    await mkdir(join(deployment.directory, "state"), { mode: 0o700 });
    await link(victim, join(deployment.directory, "state", name));
    const run = await deployment.run("stage", "next");
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/has 2 names/);
    expect(await readFile(victim, "utf8")).toBe("the victim's\n");
    expect(await deployment.log()).toEqual([]);
  },
);

test.each(["journal.json", "evidence.jsonl", "evidence.head.json", "timer.log"])(
  "a pipe in the place of %s keeps nobody waiting",
  async (name) => {
    const deployment = await setup();
    await mkdir(join(deployment.directory, "state"), { mode: 0o700 });
    execFileSync("mkfifo", [join(deployment.directory, "state", name)]);
    const run = await deployment.run("stage", "next");
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/is a pipe/);
    expect(await deployment.log()).toEqual([]);
  },
);

test("a planted journal chooses neither what is run nor where", async () => {
  const deployment = await setup();
  const trap = join(deployment.directory, "trap");
  await mkdir(trap);
  await writeFile(join(trap, "rb.sh"), "#!/bin/sh\necho trapped >> ../log\n", { mode: 0o755 });
  const journal = {
    ...EMPTY_JOURNAL,
    state: {
      position: "baseline",
      touched: ["proxy"],
      activity: { kind: "awaiting", stage: "proxy", verdict: "pass" },
    },
    rollbackCommands: { proxy: "./rb.sh" },
    directory: trap,
    commandSeconds: 5,
    envFiles: [],
  };
  await mkdir(join(deployment.directory, "state"), { mode: 0o700 });
  await writeFile(join(deployment.directory, "state/journal.json"), JSON.stringify(journal));
  const run = await deployment.run("rollback");
  // No snapshot of the baseline exists, so there is nothing to compare with.
  expect(run.exitCode).toBe(3);
  expect(run.stdout).toContain("the rollback of proxy was written anew");
  expect(await deployment.log()).toEqual(["rollback-proxy"]);
});

test("the timer runs what it was armed with, whatever the journal says meanwhile", async () => {
  // Long enough to plant the journal before the deadline, on a busy machine.
  const deployment = await setup({ deadManSeconds: 6 });
  await deployment.run("stage", "next");
  const trap = join(deployment.directory, "trap");
  await mkdir(trap);
  await writeFile(join(trap, "rb.sh"), "#!/bin/sh\necho trapped >> ../log\n", { mode: 0o755 });
  const journal = await deployment.journal();
  const planted = { ...journal, rollbackCommands: { proxy: "./rb.sh" }, directory: trap };
  await writeFile(join(deployment.directory, "state/journal.json"), JSON.stringify(planted));
  await deployment.settled();
  expect(await deployment.log()).toEqual(["apply-proxy", "verify-proxy", "rollback-proxy"]);
});

test("a report replaces no link and no file of others", async () => {
  const deployment = await setup();
  await deployment.run("stage", "next");
  const out = join(deployment.directory, "report");
  const victim = join(deployment.directory, "victim");
  await writeFile(victim, "the victim's\n");
  await symlink(victim, `${out}.html`);
  const run = await deployment.run("evidence", "--out", out);
  expect(run.exitCode).toBe(1);
  expect(run.stderr).toContain(`${out}.html is no file of ours`);
  expect(await readFile(victim, "utf8")).toBe("the victim's\n");
  expect((await lstat(`${out}.html`)).isSymbolicLink()).toBe(true);
});

async function setup(options: { deadManSeconds?: number } = {}): Promise<FakeDeployment> {
  const deployment = await createFakeDeployment(options);
  onTestFinished(deployment.remove);
  return deployment;
}
