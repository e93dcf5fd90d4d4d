-- Whatever ends a grant appends its revocation in the same transaction, by whatever means a row was
-- changed: so live streams end with it.

-- Also by kind:
--   key            the id of a signing key: all tokens that it signed
alter table auth.revocations
  drop constraint revocations_kind,
  add constraint revocations_kind
    check (kind in ('jti', 'login-session', 'account', 'datasource', 'key'));

-- The keys that the newest auth to start has. A key that is missing there has been taken away.
create table auth.signing_key_ids (key_id text primary key);

-- Tokens.
create function auth.revoke_token() returns trigger language plpgsql as $$
begin
  perform auth.append_revocation('jti', old.jti::text, clock_timestamp());
  return null;
end
$$;

create trigger revoke_revoked_token after update of revoked_at on auth.minted_tokens
for each row when (old.revoked_at is null and new.revoked_at is not null)
execute function auth.revoke_token();

create trigger revoke_deleted_token after delete on auth.minted_tokens
for each row when (old.revoked_at is null and old.expires_at > clock_timestamp())
execute function auth.revoke_token();

-- Login sessions. Those that end with their account are named by it, as far as they have tokens.
create function auth.revoke_login_session() returns trigger language plpgsql as $$
begin
  perform auth.append_revocation('login-session', old.id::text, clock_timestamp());
  return null;
end
$$;

create trigger revoke_ended_login_session after update of revoked_at on auth.login_sessions
for each row when (
  old.revoked_at is null and new.revoked_at is not null and pg_trigger_depth() = 0
) execute function auth.revoke_login_session();

create trigger revoke_deleted_login_session after delete on auth.login_sessions
for each row when (
  old.revoked_at is null and old.expires_at > clock_timestamp() and pg_trigger_depth() = 0
) execute function auth.revoke_login_session();

-- Accounts, which their login sessions and their rights to read do not outlive.
create function auth.revoke_deleted_account() returns trigger language plpgsql as $$
declare
  deleted_at timestamptz := clock_timestamp();
begin
  -- Tokens carry whole seconds: those of the second that is under way count as issued before.
  perform auth.append_revocation(
    'account',
    old.id || ':' || (floor(extract(epoch from deleted_at)) + 1)::bigint,
    deleted_at
  );
  perform auth.append_revocation('login-session', login_session::text, deleted_at)
  from (
    select distinct login_session from auth.minted_tokens
    where account_id = old.id and revoked_at is null and expires_at > deleted_at
  ) as holders;
  return null;
end
$$;

create trigger revoke_deleted_account after delete on auth.accounts
for each row execute function auth.revoke_deleted_account();

-- Rights to read. Where the account or the datasource has gone too, that is what is revoked.
create function auth.revoke_removed_readers() returns trigger language plpgsql as $$
declare
  removed_at timestamptz := clock_timestamp();
begin
  update auth.minted_tokens m set revoked_at = removed_at
  from removed r
  join auth.accounts a on a.id = r.account_id
  join auth.datasources d on d.name = r.datasource and d.visibility = 'private'
  where m.account_id = r.account_id and m.datasource = r.datasource
    and m.revoked_at is null and m.expires_at > removed_at
    and not exists (
      select from auth.datasource_readers k
      where k.datasource = r.datasource and k.account_id = r.account_id
    );
  return null;
end
$$;

create trigger revoke_removed_readers after delete on auth.datasource_readers
referencing old table as removed
for each statement execute function auth.revoke_removed_readers();

create trigger revoke_replaced_readers after update on auth.datasource_readers
referencing old table as removed
for each statement execute function auth.revoke_removed_readers();

-- Datasources. A version never goes back, and one that stops being public has a new one.
create function auth.raise_access_version() returns trigger language plpgsql as $$
begin
  if new.access_version <= old.access_version then
    new.access_version := old.access_version
      + (case when old.visibility = 'public' and new.visibility = 'private' then 1 else 0 end);
  end if;
  return new;
end
$$;

create trigger raise_access_version before update on auth.datasources
for each row execute function auth.raise_access_version();

-- Tokens of a datasource that was deleted do not open a new one of the same name.
create function auth.begin_access_version() returns trigger language plpgsql as $$
declare
  last_version bigint;
begin
  if exists (select from auth.datasources where name = new.name) then
    return new;
  end if;
  select max(access_version) into last_version from auth.minted_tokens
  where datasource = new.name and expires_at > clock_timestamp();
  new.access_version := greatest(new.access_version, last_version + 1);
  return new;
end
$$;

create trigger begin_access_version before insert on auth.datasources
for each row execute function auth.begin_access_version();

create function auth.revoke_datasource() returns trigger language plpgsql as $$
declare
  -- What was there under this name has ended, whatever its version.
  version bigint := old.access_version + 1;
begin
  if tg_op = 'UPDATE' and new.name = old.name then
    version := new.access_version;
  end if;
  perform auth.append_revocation('datasource', old.name || ':' || version, clock_timestamp());
  return null;
end
$$;

create trigger revoke_changed_datasource after update on auth.datasources
for each row when (new.name <> old.name or new.access_version > old.access_version)
execute function auth.revoke_datasource();

create trigger revoke_deleted_datasource after delete on auth.datasources
for each row execute function auth.revoke_datasource();
