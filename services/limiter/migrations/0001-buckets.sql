-- One row a bucket. Ids are keyed digests: no address and no account is ever stored. A row is
-- rewritten with every charge, so half of each page is left free for the next version of its rows.
create table limiter.buckets (
  id uuid primary key,
  -- 0 none yet, 1 token bucket, 2 fixed window, 3 sliding window, 4 concurrency.
  kind smallint not null default 0,
  -- Used units, or the count of the window.
  amount bigint not null default 0,
  -- As of when; for windows, the start or the number of the newest.
  at_ms bigint not null default 0,
  -- Units a token had, or the length of a sub-window.
  unit bigint not null default 0,
  blocked_until_ms bigint not null default 0,
  -- Counts of a sliding window, the newest first.
  ring bigint[],
  -- From then on the bucket is as good as new. Not indexed: that would make every charge rewrite
  -- an index too.
  expires_ms bigint not null
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 1
);

-- Who holds the places of concurrency buckets. The row of the bucket is locked by whoever changes
-- them.
create table limiter.leases (
  id uuid not null,
  bucket_id uuid not null,
  expires_ms bigint not null,
  ttl_ms bigint not null,
  primary key (bucket_id, id)
) with (fillfactor = 70);

create index leases_id on limiter.leases (id);

-- What requests with an idempotency key were answered, so that a retry is charged once.
create table limiter.answers (
  id uuid primary key,
  body uuid not null,
  answer text not null,
  expires_ms bigint not null
);

create index answers_expires_ms on limiter.answers (expires_ms);

-- Receipts that were refunded, kept until nothing of them could be given back anyway.
create table limiter.refunds (
  id uuid primary key,
  expires_ms bigint not null
);

create index refunds_expires_ms on limiter.refunds (expires_ms);

-- Which salts made the ids above, by fingerprint.
create table limiter.salts (
  fingerprint text primary key,
  first_used_at timestamptz not null default clock_timestamp()
);
