import pg from "pg";
import { readMigrations } from "../../../services/runtime/migrate.ts";
import { doubtful, failed, passed, type Subject } from "../../edge/probe/check.ts";
import type { Check } from "../terms/verdict.ts";
import type { LimiterInfo } from "./check-limiter.ts";
import type { ServiceFacts } from "./gather-facts.ts";

/** These services apply their own migrations at start; the gateway has no database. */
type Migrated = "auth" | "limiter";

const FOLDERS: Readonly<Record<Migrated, URL>> = {
  auth: new URL("../../../services/auth/migrations/", import.meta.url),
  limiter: new URL("../../../services/limiter/migrations/", import.meta.url),
};
/** A check must not wait long for a busy database. */
const QUERY_TIMEOUT_MS = 3_000;

/** Whether the schemas of auth and the limiter are at least at this release's version. */
export async function checkMigrations(
  facts: readonly ServiceFacts[],
  limiter: LimiterInfo,
): Promise<Check[]> {
  const auth = facts.find(({ name }) => name === "auth");
  const limiterVersion = limiter.kind === "info" ? limiter.info.schemaVersion : undefined;
  return [await checkAuth(auth), await compare("limiter", limiterVersion)];
}

async function checkAuth(facts: ServiceFacts | undefined): Promise<Check> {
  const url = facts?.file?.["DATABASE_URL"];
  if (url !== undefined) return await compare("auth", await readVersion(url, "auth"));
  const newest = (await readMigrations(FOLDERS.auth)).length;
  const subject = subjectOf("auth");
  if (facts?.identity.kind !== "identity") {
    return doubtful(subject, "auth does not answer", "start auth, or give its environment file");
  }
  return passed(subject, `auth serves, which it does only after its migrations (${newest} here)`);
}

async function compare(name: Migrated, version: number | undefined): Promise<Check> {
  const subject = subjectOf(name);
  const newest = (await readMigrations(FOLDERS[name])).length;
  if (version === undefined) {
    return doubtful(subject, "the schema's version is unknown", `start ${name} and its database`);
  }
  const observed = `version ${version}, this release has ${newest}`;
  if (version < newest) {
    return failed(
      subject,
      observed,
      `start this release's ${name} first: it migrates, and only adds`,
    );
  }
  return passed(subject, observed);
}

function subjectOf(name: Migrated): Subject {
  return {
    id: `migrations.${name}`,
    title: `Database schema of ${name}`,
    why: "code runs before and after a migration of its own release, not without it",
  };
}

async function readVersion(url: string, schema: Migrated): Promise<number | undefined> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: QUERY_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number }>(
      `select coalesce(max(version), 0)::int as version from ${schema}.migrations`,
    );
    return rows[0]?.version;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}
