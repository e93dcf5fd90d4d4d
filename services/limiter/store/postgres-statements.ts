/** What a Postgres store does, by the names its statements are prepared under. */
export const STATEMENTS = {
  begin: "begin",
  commit: "commit",
  roll_back: "rollback",

  clock: "select floor(date_part('epoch', clock_timestamp()) * 1000)::bigint",

  // Never inside a transaction that holds locks: two of those would wait for each other.
  create_buckets: `
    insert into limiter.buckets (id, expires_ms)
    select n.id, floor(date_part('epoch', clock_timestamp()) * 1000)::bigint + 60000
    from unnest($1::uuid[]) as n (id)
    order by n.id
    on conflict (id) do nothing`,

  // The lock that an update takes. Rows come in the order of the ids, so they need no number as
  // long as each is there; reading and writing this way is a third cheaper than by joins.
  lock_buckets: `
    select b.kind, b.amount, b.at_ms, b.unit, b.blocked_until_ms, b.ring,
      b.lineage, b.rate, b.drift, b.block_ms
    from limiter.buckets b
    where b.id = any ($1::uuid[])
    order by b.id
    for no key update`,

  lock_numbered_buckets: `
    select b.kind, b.amount, b.at_ms, b.unit, b.blocked_until_ms, b.ring,
      b.lineage, b.rate, b.drift, b.block_ms, n.ord
    from unnest($1::uuid[]) with ordinality as n (id, ord)
    join limiter.buckets b on b.id = n.id
    order by n.id
    for no key update of b`,

  // In a transaction that must not wait: rows that somebody holds are found by not being locked.
  hurry: "select set_config('lock_timeout', '5ms', true)",

  lock_free_buckets: `
    select b.kind, b.amount, b.at_ms, b.unit, b.blocked_until_ms, b.ring,
      b.lineage, b.rate, b.drift, b.block_ms, n.ord
    from unnest($1::uuid[]) with ordinality as n (id, ord)
    join limiter.buckets b on b.id = n.id
    order by n.id
    for no key update of b skip locked`,

  existing_buckets: `
    select n.ord
    from unnest($1::uuid[]) with ordinality as n (id, ord)
    join limiter.buckets b on b.id = n.id`,

  lock_free_leases: `
    select l.bucket_id, l.id
    from limiter.leases l
    where l.bucket_id = any ($1::uuid[])
    for update skip locked`,

  durability: `
    select current_setting('synchronous_commit') <> 'off'
      and current_setting('fsync') = 'on'
      and current_setting('full_page_writes') = 'on'
      and not exists (
        select 1
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'limiter' and c.relkind in ('r', 'p') and c.relpersistence <> 'p')`,

  read_buckets: `
    select b.kind, b.amount, b.at_ms, b.unit, b.blocked_until_ms, b.ring,
      b.lineage, b.rate, b.drift, b.block_ms, n.ord
    from unnest($1::uuid[]) with ordinality as n (id, ord)
    join limiter.buckets b on b.id = n.id`,

  // What a charge on a token bucket changes; all of them are made at the same instant.
  write_charges: `
    update limiter.buckets b
    set amount = n.amount, at_ms = $2::bigint, expires_ms = n.expires_ms
    from (
      select unnest($1::uuid[]) as id, unnest($3::bigint[]) as amount,
        unnest($4::bigint[]) as expires_ms
    ) n
    where b.id = n.id`,

  // A transaction of its own: one round trip decides, charges and commits. Rows are locked in the
  // order of the ids, as everywhere. The clock is read when all are held, and may be later than
  // the decision by as much as it could be had the rows been locked first. An error is the one way
  // for a statement to undo what it has done.
  charge_known: `
    with charged as (
      update limiter.buckets b
      set amount = n.amount, at_ms = $2::bigint, expires_ms = n.expires_ms
      from (
        select unnest($1::uuid[]) as id, unnest($3::bigint[]) as amount,
          unnest($4::bigint[]) as expires_ms, unnest($5::bigint[]) as known_amount,
          unnest($6::bigint[]) as known_at_ms, unnest($7::bigint[]) as known_lineage
      ) n
      where b.id = n.id and b.kind = 1 and b.blocked_until_ms = 0 and b.amount = n.known_amount
        and b.at_ms = n.known_at_ms and b.lineage = n.known_lineage
      returning 1
    ), now as (
      select count(*) as charged,
        floor(date_part('epoch', clock_timestamp()) * 1000)::bigint as ms
      from charged
    )
    select case
      when charged = $8::bigint and ms between $2::bigint and $2::bigint + $9::bigint then ms
      else ('not as known: ' || charged || ' of ' || $8::bigint || ' rows, at ' || ms)::bigint
    end
    from now`,

  write_buckets: `
    update limiter.buckets b
    set kind = n.kind, amount = n.amount, at_ms = n.at_ms, unit = n.unit,
      blocked_until_ms = n.blocked_until_ms, expires_ms = n.expires_ms, lineage = n.lineage,
      rate = nullif(n.rate, 0), drift = nullif(n.drift, 0), block_ms = nullif(n.block_ms, 0)
    from unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[],
      $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
      as n (id, kind, amount, at_ms, unit, blocked_until_ms, expires_ms, lineage, rate, drift,
        block_ms)
    where b.id = n.id`,

  write_rings: `
    update limiter.buckets b
    set ring = n.ring::bigint[]
    from unnest($1::uuid[], $2::text[]) as n (id, ring)
    where b.id = n.id`,

  read_leases: `
    select l.bucket_id, l.id, l.expires_ms, l.ttl_ms, l.number
    from limiter.leases l
    where l.bucket_id = any ($1::uuid[])`,

  find_leases: `
    select l.id, l.bucket_id
    from limiter.leases l
    where l.id = any ($1::uuid[])`,

  write_leases: `
    insert into limiter.leases (bucket_id, id, expires_ms, ttl_ms, number)
    select n.bucket_id, n.id, n.expires_ms, n.ttl_ms, n.number
    from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])
      as n (bucket_id, id, expires_ms, ttl_ms, number)
    on conflict (bucket_id, id) do update
    set expires_ms = excluded.expires_ms, ttl_ms = excluded.ttl_ms, number = excluded.number`,

  delete_leases: `
    delete from limiter.leases l
    using unnest($1::uuid[], $2::uuid[]) as n (bucket_id, id)
    where l.bucket_id = n.bucket_id and l.id = n.id`,

  // Whether the charge was given back is read with the answer: its receipt is not known before.
  read_answers: `
    select a.id, a.body, a.answer, a.expires_ms, a.receipt, r.id
    from limiter.answers a
    left join limiter.refunds r on r.id = a.receipt
    where a.id = any ($1::uuid[])`,

  // Before new ones are written in their place: whoever does the same at once is told by the key.
  delete_answers: `
    delete from limiter.answers a
    where a.id = any ($1::uuid[])`,

  write_answers: `
    insert into limiter.answers (id, body, answer, expires_ms, receipt)
    select n.id, n.body, n.answer, n.expires_ms, n.receipt
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[])
      as n (id, body, answer, expires_ms, receipt)
    order by n.id`,

  read_refunds: `
    select r.id
    from limiter.refunds r
    where r.id = any ($1::uuid[])`,

  write_refunds: `
    insert into limiter.refunds (id, expires_ms)
    select n.id, n.expires_ms
    from unnest($1::uuid[], $2::bigint[]) as n (id, expires_ms)
    order by n.id`,

  write_audits: `
    insert into limiter.audit_log (caller, event, policy, bucket_id, detail)
    select n.caller, n.event, n.policy, n.bucket_id, n.detail::jsonb
    from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[])
      as n (caller, event, policy, bucket_id, detail)`,
} as const;
