-- What operators did. Buckets are named by their keyed digest, as everywhere.
create table limiter.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  caller text not null,
  event text not null,
  policy text not null,
  bucket_id uuid not null,
  detail jsonb not null default '{}'
);

create function limiter.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

-- Unlike a missing privilege, this holds for the owner of the table too.
create trigger audit_log_append_only before update or delete or truncate on limiter.audit_log
for each statement execute function limiter.refuse_change();
