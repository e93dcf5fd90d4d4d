-- The audit log stays append-only, except that its retention may delete what is old. Retention
-- names its own transaction, so that no other one inherits the right by accident; and what was
-- written within the last day stays, whoever asks.
create or replace function auth.refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE'
    and current_setting('portcullis.audit_retention', true) = pg_current_xact_id()::text
  then
    return null;
  end if;
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create function auth.refuse_recent_delete() returns trigger language plpgsql as $$
begin
  raise exception '% keeps its last day', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create trigger audit_log_keeps_last_day before delete on auth.audit_log
for each row when (old.at > clock_timestamp() - interval '23 hours')
execute function auth.refuse_recent_delete();

-- Deletes the oldest entries, at most `entries_max`, if they were made before a moment; answers how
-- many. Entries are made in the order of their ids, so no index on the time is needed.
create function auth.trim_audit_log(before timestamptz, entries_max integer) returns integer
language plpgsql as $$
declare
  trimmed integer;
begin
  perform set_config('portcullis.audit_retention', pg_current_xact_id()::text, true);
  delete from auth.audit_log where id in (
    select id from (
      select id, at from auth.audit_log order by id limit entries_max
    ) as oldest
    where at < before
  );
  get diagnostics trimmed = row_count;
  perform set_config('portcullis.audit_retention', '', true);
  return trimmed;
end
$$;
