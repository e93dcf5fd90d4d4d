-- The networks from which an account signed in, so that guessing strangers cannot lock its owner
-- out there. Digests under a key that is not in this database: no address can be told from them.
create table auth.known_networks (
  account_id uuid not null
    constraint known_networks_account references auth.accounts on delete cascade,
  digest bytea not null,
  last_used_at timestamptz not null,
  primary key (account_id, digest)
);

create index known_networks_last_used_at on auth.known_networks (last_used_at);

alter table auth.accounts
  -- Device tokens carry it: raising it makes strangers of all devices.
  add column device_epoch bigint not null default 1,
  -- When the hash of an unchanged password was last strengthened.
  add column rehashed_at timestamptz;

-- Whoever changes a password, or bars an account, by whatever means, takes its devices back.
create function auth.forget_devices() returns trigger language plpgsql as $$
begin
  new.device_epoch := old.device_epoch + 1;
  return new;
end
$$;

create trigger forget_devices
before update of password_hash, disabled_at, locked_at on auth.accounts
for each row when (
  (new.password_hash is distinct from old.password_hash
    and new.rehashed_at is not distinct from old.rehashed_at)
  or (new.disabled_at is not null and old.disabled_at is null)
  or (new.locked_at is not null and old.locked_at is null)
) execute function auth.forget_devices();
