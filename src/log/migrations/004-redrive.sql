-- What a person does about parked events. New columns with constant defaults: log.parked and log.parked_key are locked for an
-- instant and not rewritten. A new table. A version that does not know the columns goes on as it did.

alter table log.parked
  -- The event as it was parked, once somebody has edited it.
  add column original json,
  -- How often that was: a retry that fails says so of the event that it tried, and of no later one.
  add column edits int not null default 0;

-- How often a retry was asked for: one that fails answers the request that it was begun for, and leaves later ones standing.
alter table log.parked_key add column requests int not null default 0;

-- When `millrace verify` was run, and what it found.
create table log.verification (
  sequence bigint generated always as identity primary key,
  verified_at timestamptz not null,
  entries bigint not null,
  findings int not null
);
