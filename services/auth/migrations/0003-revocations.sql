-- One row. Whoever appends an event locks it until the end of its transaction, so events become
-- visible in the order of their sequence and a reader never skips one.
create table auth.revocation_log (
  only_row boolean primary key default true constraint revocation_log_only_row check (only_row),
  -- Tells this log from that of another database, whose sequences mean other events.
  epoch uuid not null default gen_random_uuid(),
  last_sequence bigint not null default 0,
  -- Events up to this one may have been deleted.
  trimmed_through bigint not null default 0
);

insert into auth.revocation_log default values;

-- What was revoked, by kind:
--   jti            the token's id
--   login-session  the login session's id: all tokens minted in it
--   account        <account id>:<unix seconds>: all tokens of the account issued before then
--   datasource     <name>:<access version>: all tokens with a lower access version
create table auth.revocations (
  sequence bigint primary key,
  kind text not null
    constraint revocations_kind check (kind in ('jti', 'login-session', 'account', 'datasource')),
  value text not null,
  revoked_at timestamptz not null
);

create index revocations_revoked_at on auth.revocations (revoked_at);

create function auth.append_revocation(kind text, value text, revoked_at timestamptz)
returns bigint language plpgsql as $$
declare
  next_sequence bigint;
begin
  update auth.revocation_log set last_sequence = last_sequence + 1
  returning last_sequence into next_sequence;
  insert into auth.revocations (sequence, kind, value, revoked_at)
  values (next_sequence, kind, value, revoked_at);
  return next_sequence;
end
$$;

-- An account that is disabled or locked, by whatever means, is signed out everywhere at once.
create function auth.sign_out_account() returns trigger language plpgsql as $$
declare
  signed_out_at timestamptz := clock_timestamp();
begin
  update auth.login_sessions set revoked_at = signed_out_at
  where account_id = new.id and revoked_at is null;
  -- Tokens carry whole seconds: those of the second that is under way count as issued before.
  perform auth.append_revocation(
    'account',
    new.id || ':' || (floor(extract(epoch from signed_out_at)) + 1)::bigint,
    signed_out_at
  );
  return null;
end
$$;

create trigger sign_out_account after update of disabled_at, locked_at on auth.accounts
for each row when (
  (new.disabled_at is not null and old.disabled_at is null)
  or (new.locked_at is not null and old.locked_at is null)
) execute function auth.sign_out_account();
