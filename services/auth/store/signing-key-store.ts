import type { Queryable } from "../../runtime/postgres.ts";
import type { Secret } from "../../runtime/secret.ts";
import {
  createSigningKey,
  generatePrivateKey,
  parsePrivateKey,
  type SigningKey,
} from "../tokens/signing-key.ts";

/**
 * Returns the configured keys. Without any, which only development allows, generates one key and
 * keeps it in the database, so that tokens survive a restart and replicas agree.
 */
export async function loadSigningKeys(
  db: Queryable,
  configured: readonly Secret[],
): Promise<[SigningKey, ...SigningKey[]]> {
  const texts = configured.map((secret) => secret.reveal());
  if (texts.length === 0) texts.push(await developmentKey(db));
  const [first, ...rest] = await Promise.all(texts.map(load));
  if (first === undefined) throw new Error("there is no key to sign with");
  await revokeMissingKeys(db, [first, ...rest]);
  return [first, ...rest];
}

/** Revokes the keys that are no longer configured: streams with their tokens end now. */
async function revokeMissingKeys(db: Queryable, keys: readonly SigningKey[]): Promise<void> {
  await db.query(
    `with missing as (
       delete from auth.signing_key_ids where key_id <> all ($1::text[]) returning key_id
     ), present as (
       insert into auth.signing_key_ids (key_id) select unnest($1::text[])
       on conflict (key_id) do nothing
     )
     select auth.append_revocation('key', key_id, clock_timestamp()) from missing`,
    [keys.map(({ keyId }) => keyId)],
  );
}

async function load(text: string): Promise<SigningKey> {
  const privateKey = parsePrivateKey(text);
  if (privateKey === undefined) throw new Error("a signing key cannot be read");
  return await createSigningKey(privateKey);
}

async function developmentKey(db: Queryable): Promise<string> {
  await db.query(
    `insert into auth.development_signing_keys (private_key) values ($1)
     on conflict (only_row) do nothing`,
    [generatePrivateKey()],
  );
  const { rows } = await db.query<{ private_key: string }>(
    "select private_key from auth.development_signing_keys",
  );
  return rows[0]?.private_key ?? "";
}
