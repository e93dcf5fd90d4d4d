create table auth.datasources (
  name text primary key,
  visibility text not null
    constraint datasources_visibility check (visibility in ('public', 'private')),
  -- Tokens minted under a lower version are revoked.
  access_version bigint not null default 1,
  created_at timestamptz not null
);

-- Which accounts may read a private datasource.
create table auth.datasource_readers (
  datasource text not null
    constraint datasource_readers_datasource references auth.datasources on delete cascade,
  account_id uuid not null
    constraint datasource_readers_account references auth.accounts on delete cascade,
  primary key (datasource, account_id)
);

-- Every datasource token that can still be alive: whose it is, and whether it was revoked.
create table auth.minted_tokens (
  jti uuid primary key,
  -- Null for anonymous tokens of public datasources.
  account_id uuid,
  login_session uuid,
  datasource text not null,
  access_version bigint not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);

create index minted_tokens_expires_at on auth.minted_tokens (expires_at);
