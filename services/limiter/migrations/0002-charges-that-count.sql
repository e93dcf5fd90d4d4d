-- What tells whether a charge still counts in its bucket. Values that are mostly zero are null
-- instead, since nulls take no room in a row that every charge rewrites.
alter table limiter.buckets
  -- The beginning of the bucket and the revision of its rule; 0 for rows of older programs.
  add column lineage bigint not null default 0,
  -- Units that refill each millisecond; for sliding windows, the first place that was folded.
  add column rate bigint,
  -- What refilled beyond that rate, in units; the place of a fixed window; the last place of a
  -- sliding one that was folded.
  add column drift bigint,
  -- How long the block lasts that ends at blocked_until_ms.
  add column block_ms bigint;

-- Which taking of the lease it is: one that ended and was taken anew has another number.
alter table limiter.leases add column number bigint not null default 0;

-- The receipt of an answer: once it is refunded, the answer is not given again.
alter table limiter.answers add column receipt uuid;
