-- The one spelling of an e-mail address, as services/auth/email.ts makes it: without blanks around
-- it, composed (NFC), in small letters. What lower() knows beyond ASCII depends on the collation, so
-- it names the best one that this server has.
do $do$
declare
  is_unicode constant boolean := getdatabaseencoding() = 'UTF8';
  folding text := (
    select c.collname from pg_collation c
    where c.collname in ('pg_unicode_fast', 'und-x-icu', 'pg_c_utf8')
      and c.collnamespace = 'pg_catalog'::regnamespace
      and c.collencoding in (-1, pg_char_to_encoding(getdatabaseencoding()))
    order by array_position(array['pg_unicode_fast', 'und-x-icu', 'pg_c_utf8'], c.collname::text)
    limit 1
  );
begin
  execute format(
    $f$
      create function auth.normalise_email(address text) returns text
      language sql immutable strict parallel safe
      as $body$ select lower(%s collate pg_catalog.%I) $body$
    $f$,
    case when is_unicode
      then $e$normalize(btrim(address, E' \t\n\013\f\r\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF'), nfc)$e$
      else $e$btrim(address, E' \t\n\013\f\r')$e$
    end,
    coalesce(folding, 'default')
  );
end
$do$;

-- Whoever reads this at the start of auth decides which of the accounts stays; no program can.
do $do$
declare
  clashes text;
begin
  select string_agg(ids, '; ') into clashes from (
    select string_agg(id::text, ' and ' order by created_at, id) as ids
    from auth.accounts group by auth.normalise_email(email) having count(*) > 1
    limit 20
  ) as same;
  if clashes is not null then
    raise exception 'auth.accounts.email: these accounts have the same address but for capitals, blanks or composed letters: %. Only the one in small letters can sign in; delete or rename the others, then start again', clashes
      using errcode = 'unique_violation', constraint = 'accounts_email_normalised';
  end if;
end
$do$;

update auth.accounts set email = auth.normalise_email(email)
where email <> auth.normalise_email(email);

alter table auth.accounts add constraint accounts_email_normalised
check (email = auth.normalise_email(email));

-- Whoever writes an address, with whatever program, writes that spelling; what nobody could type at a
-- sign-in is refused. Rows of before may stay as they are.
create function auth.normalise_new_email() returns trigger language plpgsql as $$
begin
  new.email := auth.normalise_email(new.email);
  if new.email = '' or octet_length(new.email) > 254 or new.email ~ '[[:space:][:cntrl:]]' then
    raise exception 'email: must be 1 to 254 bytes of an address'
      using errcode = 'check_violation', constraint = 'accounts_email_normalised';
  end if;
  return new;
end
$$;

create trigger accounts_normalise_email before insert or update of email on auth.accounts
for each row execute function auth.normalise_new_email();
