create table auth.accounts (
  id uuid primary key default gen_random_uuid(),
  -- Normalised as services/auth/email.ts does it.
  email text not null constraint accounts_email_unique unique,
  password_hash text not null,
  created_at timestamptz not null,
  -- Set by an operator. To the outside both look like a wrong password.
  disabled_at timestamptz,
  locked_at timestamptz
);

-- One sign-in on one device: a family of refresh tokens, of which the newest works.
create table auth.login_sessions (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null
    constraint login_sessions_account references auth.accounts on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);

create index login_sessions_account on auth.login_sessions (account_id);
create index login_sessions_expires_at on auth.login_sessions (expires_at);

-- Used ones are kept as long as their login session, so that using one again is noticed.
create table auth.refresh_tokens (
  -- SHA-256 of the token, which is itself 256 random bits.
  digest bytea primary key,
  login_session uuid not null
    constraint refresh_tokens_login_session references auth.login_sessions on delete cascade,
  created_at timestamptz not null,
  used_at timestamptz
);

create index refresh_tokens_login_session on auth.refresh_tokens (login_session);

create view auth.live_login_sessions as
select s.id, s.account_id, s.expires_at
from auth.login_sessions s
join auth.accounts a on a.id = s.account_id
where s.revoked_at is null and a.disabled_at is null and a.locked_at is null;
