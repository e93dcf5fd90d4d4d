-- The time in an account's event is the database's, that in a token its signer's: a signer whose
-- clock is ahead would keep streams alive. The login sessions that have tokens are named as well.
create or replace function auth.sign_out_account() returns trigger language plpgsql as $$
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
  perform auth.append_revocation('login-session', login_session::text, signed_out_at)
  from (
    select distinct m.login_session from auth.minted_tokens m
    join auth.login_sessions s on s.id = m.login_session
    where m.account_id = new.id and m.revoked_at is null and s.revoked_at = signed_out_at
  ) as holders;
  return null;
end
$$;
