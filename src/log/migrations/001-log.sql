-- The log: topics, events, groups with leases and checkpoints, parked keys, timers. New tables only; locks nothing.

-- The instant the session was given (tests, simulation), else the database's clock. The only place SQL reads time.
create function log.now() returns timestamptz
language sql stable parallel safe
as $$
  select coalesce(nullif(current_setting('millrace.now', true), '')::timestamptz, clock_timestamp())
$$;

-- Grows with every append. Two events of which one was appended after the other was committed are ordered by it,
-- whatever the clock does; offsets alone do not order events of different topics.
create sequence log.position;

create table log.topic (
  topic text primary key,
  partitions int not null check (partitions between 1 and 1024)
);

-- The head of a partition: whoever appends holds this row until the commit, so offsets are gap-free.
create table log.partition (
  topic text not null references log.topic,
  partition int not null,
  next_offset bigint not null default 0,
  primary key (topic, partition)
) with (fillfactor = 50);

-- A record is the event as it was written, and beside it only what the log itself goes by. Text, not json: it is
-- checked before it is appended, and read back as it stands; a column for every header cost three times as much.
create table log.record (
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  position bigint not null,
  time timestamptz not null,
  key text not null,
  type text not null,
  event text not null,
  -- Sealed bytes that people and audits read, and no consumer does.
  attachment bytea,
  primary key (topic, partition, "offset")
);
-- Sealed bodies do not compress; trying costs more than the append itself.
alter table log.record alter column event set storage external, alter column attachment set storage external;
-- A gateway's webhook is a few kilobytes: kept in its row, not in a second table with an index of its own.
alter table log.record set (toast_tuple_target = 8160);
create index record_key on log.record (key);
-- For people who follow the log; a block range each costs an append next to nothing.
create index record_position on log.record using brin (position) with (autosummarize = on);

-- One column a header, for those who ask in SQL.
create view log.event as
select r.topic, r.partition, r."offset", r.position, r.key, r.type, (e.event ->> 'version')::int as version,
  e.event ->> 'id' as id, r.time, e.event ->> 'tenant' as tenant, e.event ->> 'mode' as mode,
  e.event ->> 'traceparent' as traceparent, e.event ->> 'causation_id' as causation_id,
  e.event ->> 'correlation_id' as correlation_id, e.event ->> 'timer_id' as timer_id,
  (e.event ->> 'timer_generation')::bigint as timer_generation, e.event -> 'data' as data, r.attachment
from log.record r cross join lateral (select r.event::json as event) e;

create table log.member (
  process text not null,
  grp text not null,
  expires_at timestamptz not null,
  primary key (process, grp)
);

create table log.lease (
  grp text not null,
  partition int not null,
  owner text,
  epoch bigint not null default 0,
  expires_at timestamptz not null default '-infinity',
  primary key (grp, partition)
) with (fillfactor = 50);

-- The epoch is the fence: set when the lease changes hands, compared under this row's lock by every transaction.
-- Topic '' is the fence of groups that read no topic: timers and deliverers.
create table log.checkpoint (
  grp text not null,
  topic text not null,
  partition int not null,
  next_offset bigint not null default 0,
  epoch bigint not null default 0,
  primary key (grp, topic, partition)
) with (fillfactor = 50);

create table log.parked_key (
  grp text not null,
  key text not null,
  partition int not null,
  parked_at timestamptz not null,
  retry_requested_at timestamptz,
  primary key (grp, key)
);

-- Parked events are self-contained: they outlive the retention of the log.
create table log.parked (
  grp text not null,
  key text not null,
  sequence bigint generated always as identity,
  event json not null,
  error text,
  attempts int not null default 1,
  parked_at timestamptz not null,
  primary key (grp, key, sequence)
);

create sequence log.timer_generation;

create table log.timer (
  id text primary key,
  generation bigint not null,
  partition int not null,
  due_at timestamptz not null,
  fired_at timestamptz,
  event json not null
);
create index timer_due on log.timer (partition, due_at) where fired_at is null;
