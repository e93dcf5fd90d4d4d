-- Finds leases that ended, however many hold. Renewals keep it up to date: leases are rewritten a
-- few times in each TTL, never with every decision.
create index leases_expires_ms on limiter.leases (expires_ms);
