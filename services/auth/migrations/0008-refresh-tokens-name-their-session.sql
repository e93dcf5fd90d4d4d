-- Refresh tokens name their login session under a keyed checksum, so that noise is refused without
-- a look here, and a used token is known for what it is after its row was deleted.
alter table auth.refresh_tokens
  -- False for tokens of older programs, which are nothing but random.
  add column names_session boolean not null default false,
  -- The token that this one replaced. Its row is deleted when this one is used.
  add column previous bytea;

-- One row. The key of the checksums: it guards the database from noise and opens nothing, since
-- every token has 128 random bits beside it.
create table auth.refresh_token_key (
  only_row boolean primary key default true
    constraint refresh_token_key_only_row check (only_row),
  secret bytea not null
);

insert into auth.refresh_token_key (secret)
values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- One row. When an older program last issued a token without a session in it; null for never. Until
-- such tokens have ended, texts without a valid checksum may be one of them.
create table auth.unnamed_refresh_tokens (
  only_row boolean primary key default true
    constraint unnamed_refresh_tokens_only_row check (only_row),
  last_issued_at timestamptz
);

insert into auth.unnamed_refresh_tokens (last_issued_at)
select case when exists (select from auth.refresh_tokens) then clock_timestamp() end;

-- To the minute, so that older programs do not queue for the row.
create function auth.note_unnamed_refresh_token() returns trigger language plpgsql as $$
begin
  update auth.unnamed_refresh_tokens set last_issued_at = clock_timestamp()
  where last_issued_at is null or last_issued_at < clock_timestamp() - interval '1 minute';
  return null;
end
$$;

create trigger note_unnamed_refresh_token after insert on auth.refresh_tokens
for each row when (not new.names_session)
execute function auth.note_unnamed_refresh_token();
