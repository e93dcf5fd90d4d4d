-- Who did what. No address and no e-mail of an unknown account is ever stored here.
create table auth.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  event text not null,
  -- Whom it concerns; null when there is no such account.
  account_id uuid,
  detail jsonb not null default '{}'
);

create index audit_log_account on auth.audit_log (account_id, at) where account_id is not null;

create function auth.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

-- Unlike a missing privilege, this holds for the owner of the table too.
create trigger audit_log_append_only before update or delete or truncate on auth.audit_log
for each statement execute function auth.refuse_change();
