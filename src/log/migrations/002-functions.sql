-- What a module's role may do with the log: these functions, and nothing else. Replaces functions only; locks nothing.

-- Appends events to the ends of their partitions; must be the transaction's last act, because the heads stay locked
-- until the commit. Event i goes to the head p_heads[i] (index into p_topics, from 1), as its p_places[i]th from 0. Arrays,
-- because json_to_recordset builds a hash table for every row.
create or replace function log.append(p_topics text[], p_partitions int[], p_counts int[], p_heads int[],
  p_places int[], p_keys text[], p_types text[], p_events text[], p_attachments bytea[])
returns void
language plpgsql security definer set search_path = log, pg_catalog
as $$
declare
  v_position bigint;
  v_now timestamptz;
  v_appended bigint;
begin
  -- Sorted parameters alone do not sort locks: the planner may visit them in any order.
  perform 1
  from log.partition h
  join unnest(p_topics, p_partitions) as w (topic, partition) on h.topic = w.topic and h.partition = w.partition
  order by h.topic, h.partition
  for update of h;

  v_position := nextval('log.position');
  v_now := log.now();

  with head as (
    select w.topic, w.partition, w.count, w.head
    from unnest(p_topics, p_partitions, p_counts) with ordinality as w (topic, partition, count, head)
  ), moved as (
    update log.partition h
    set next_offset = h.next_offset + w.count
    from head w
    where h.topic = w.topic and h.partition = w.partition
    returning w.head, h.topic, h.partition, h.next_offset - w.count as base
  )
  insert into log.record (topic, partition, "offset", position, time, key, type, event, attachment)
  select m.topic, m.partition, m.base + e.place, v_position, v_now, e.key, e.type, e.event, e.attachment
  from unnest(p_heads, p_places, p_keys, p_types, p_events, p_attachments)
    as e (head, place, key, type, event, attachment)
  join moved m on m.head = e.head;

  get diagnostics v_appended = row_count;
  -- Without a head the join would drop the event, and the caller would take it for acknowledged.
  if v_appended <> (select coalesce(sum(c), 0) from unnest(p_counts) c) then
    raise exception 'a topic of % has not been created', p_topics;
  end if;
end
$$;

-- Locks the checkpoints of the leased partitions whose epoch still holds, then reads in a new snapshot. Two statements,
-- never one join: a row lock refreshes only the locked row, and events would be read twice. Volatile on purpose: every
-- statement of a volatile function sees what has been committed before it. Topics that the caller does not name stay
-- where they are: in a rolling upgrade the newer version reads them.
create or replace function log.take(p_group text, p_partitions int[], p_epochs bigint[], p_topics text[],
  p_types text[], p_per_partition int, p_total int, p_bytes bigint)
returns table (topic text, partition int, "offset" bigint, "time" timestamptz, key text, type text, event text,
  is_parked boolean)
language plpgsql volatile security definer set search_path = log, pg_catalog
as $$
#variable_conflict use_column
declare
  v_topics text[];
  v_partitions int[];
  v_offsets bigint[];
begin
  select array_agg(c.topic), array_agg(c.partition), array_agg(c.next_offset)
  into v_topics, v_partitions, v_offsets
  from (
    select k.topic, k.partition, k.next_offset
    from log.checkpoint k
    join unnest(p_partitions, p_epochs) as l (partition, epoch) on k.partition = l.partition and k.epoch = l.epoch
    where k.grp = p_group and k.topic = any (p_topics)
    order by k.topic, k.partition
    for update of k
  ) c;

  return query
  select e.topic, e.partition, e."offset", e.time, e.key, e.type, case when e.type = any (p_types) then e.event end,
    k.key is not null
  from (
    select s.*, row_number() over w as place, sum(octet_length(s.event)) over w as bytes
    from unnest(v_topics, v_partitions, v_offsets) as c (topic, partition, next_offset)
    cross join lateral (
      select * from log.record r
      where r.topic = c.topic and r.partition = c.partition and r."offset" >= c.next_offset
      order by r."offset"
      limit p_per_partition
    ) s
    window w as (partition by s.partition order by s.position, s.topic, s."offset")
  ) e
  left join log.parked_key k on k.grp = p_group and k.key = e.key
  where e.place <= p_per_partition and (e.bytes <= p_bytes or e.place = 1)
  order by e.position, e.topic, e.partition, e."offset"
  limit p_total;
end
$$;

create or replace function log.advance(p_group text, p_topics text[], p_partitions int[], p_offsets bigint[])
returns void
language sql security definer set search_path = log, pg_catalog
as $$
  update log.checkpoint k
  set next_offset = w.next_offset
  from unnest(p_topics, p_partitions, p_offsets) as w (topic, partition, next_offset)
  where k.grp = p_group and k.topic = w.topic and k.partition = w.partition
$$;

-- Locks a group's checkpoints of the given partitions, and returns those whose epoch still holds.
create or replace function log.fence(p_group text, p_partitions int[], p_epochs bigint[])
returns setof int
language sql volatile security definer set search_path = log, pg_catalog
as $$
  select distinct held.partition
  from (
    select k.partition
    from log.checkpoint k
    join unnest(p_partitions, p_epochs) as l (partition, epoch) on k.partition = l.partition and k.epoch = l.epoch
    where k.grp = p_group
    order by k.topic, k.partition
    for update of k
  ) held
$$;

create or replace function log.park(p_group text, p_events json, p_error text)
returns void
language sql security definer set search_path = log, pg_catalog
as $$
  insert into log.parked_key (grp, key, partition, parked_at)
  select distinct p_group, e.key, e.partition, log.now()
  from json_to_recordset(p_events) as e (key text, partition int)
  on conflict (grp, key) do nothing;

  insert into log.parked (grp, key, event, error, parked_at)
  select p_group, e.event ->> 'key', e.event, p_error, log.now()
  from json_array_elements(p_events) with ordinality as e (event, place)
  order by e.place
$$;

-- Events that a group has not read yet, as of the calling statement's snapshot: what its tables do not show yet.
create or replace function log.unread(p_group text)
returns table (type text, event text)
language sql stable security definer set search_path = log, pg_catalog
as $$
  select r.type, r.event
  from log.checkpoint k
  join log.record r on r.topic = k.topic and r.partition = k.partition and r."offset" >= k.next_offset
  where k.grp = p_group
$$;

-- The oldest of them, at most so many from each partition: for whoever must not read a whole backlog.
create or replace function log.unread_first(p_group text, p_limit int)
returns table (type text, event text)
language sql stable security definer set search_path = log, pg_catalog
as $$
  select r.type, r.event
  from log.checkpoint k
  cross join lateral (
    select r.type, r.event
    from log.record r
    where r.topic = k.topic and r.partition = k.partition and r."offset" >= k.next_offset
    order by r."offset"
    limit p_limit
  ) r
  where k.grp = p_group
$$;

-- Timers. A generation is never given out twice, so a firing that was overtaken by a cancel or a new schedule is told
-- apart for ever.
create or replace function log.schedule(p_timers json)
returns void
language sql security definer set search_path = log, pg_catalog
as $$
  insert into log.timer as t (id, generation, partition, due_at, event)
  select w.id, nextval('log.timer_generation'), w.partition, to_timestamp(w.due_ms / 1000.0), w.event
  from json_to_recordset(p_timers) as w (id text, partition int, due_ms bigint, event json)
  order by w.id
  on conflict (id) do update
  set generation = excluded.generation, partition = excluded.partition, due_at = excluded.due_at,
    fired_at = null, event = excluded.event
$$;

create or replace function log.cancel(p_ids text[])
returns void
language sql security definer set search_path = log, pg_catalog
as $$
  delete from log.timer where id = any (p_ids)
$$;

-- Of the firings given, those that still count; each counts once.
create or replace function log.spend_timers(p_ids text[], p_generations bigint[])
returns table (id text, generation bigint)
language sql volatile security definer set search_path = log, pg_catalog
as $$
  delete from log.timer t
  using unnest(p_ids, p_generations) as w (id, generation)
  where t.id = w.id and t.generation = w.generation
  returning t.id, t.generation
$$;

-- Marks due timers as fired and returns them; the caller appends their events in the same transaction.
create or replace function log.fire_due(p_partitions int[], p_limit int)
returns table (id text, generation bigint, event json)
language sql volatile security definer set search_path = log, pg_catalog
as $$
  with fired as (
    update log.timer t
    set fired_at = log.now()
    from (
      select d.id
      from log.timer d
      where d.partition = any (p_partitions) and d.fired_at is null and d.due_at <= log.now()
      order by d.due_at, d.id
      limit p_limit
      for update
    ) due
    where t.id = due.id
    returning t.id, t.generation, t.event, t.due_at
  )
  -- An update returns its rows in no order; two timers of a key are appended in theirs.
  select f.id, f.generation, f.event from fired f order by f.due_at, f.id
$$;

-- Groups and leases: for the process that runs the loops, not for modules.

create or replace function log.create_topic(p_topic text, p_partitions int)
returns void
language sql
as $$
  insert into log.topic (topic, partitions) values (p_topic, p_partitions) on conflict do nothing;
  insert into log.partition (topic, partition)
  select p_topic, n from generate_series(0, p_partitions - 1) n on conflict do nothing
$$;

-- p_topics is empty for a group that reads nothing (timers, deliverers): its fence is the topic ''.
create or replace function log.register_group(p_group text, p_topics text[], p_partitions int, p_from text)
returns void
language sql
as $$
  insert into log.lease (grp, partition)
  select p_group, n from generate_series(0, p_partitions - 1) n on conflict do nothing;
  insert into log.checkpoint (grp, topic, partition, epoch, next_offset)
  select p_group, t.topic, l.partition, l.epoch,
    case when p_from = 'now' then coalesce(h.next_offset, 0) else 0 end
  from unnest(case when p_topics = '{}' then array[''] else p_topics end) as t (topic)
  -- Locked, so that a lease that changes hands at this moment does not leave the new checkpoint on its old epoch.
  join (select * from log.lease where grp = p_group order by partition for share) l on true
  left join log.partition h on h.topic = t.topic and h.partition = l.partition
  on conflict do nothing
$$;

-- Keeps a process's membership and leases alive, and returns the leases it has.
create or replace function log.heartbeat(p_process text, p_groups text[], p_ttl_ms int)
returns table (grp text, partition int, epoch bigint)
language plpgsql volatile
as $$
#variable_conflict use_column
begin
  insert into log.member as m (process, grp, expires_at)
  select p_process, g, log.now() + p_ttl_ms * interval '1 ms' from unnest(p_groups) g order by g
  on conflict (process, grp) do update set expires_at = excluded.expires_at;

  return query
  update log.lease l
  set expires_at = log.now() + p_ttl_ms * interval '1 ms'
  where l.owner = p_process and l.grp = any (p_groups)
  returning l.grp, l.partition, l.epoch;
end
$$;

-- Whether a lease or membership that ends then still counts. One that ends much later than any heartbeat of now could
-- make it is from before the clock was set back: its owner, if it lives, has renewed it since or soon will.
create or replace function log.is_current(p_expires_at timestamptz, p_ttl_ms int)
returns boolean
language sql stable
as $$
  select p_expires_at >= log.now() and p_expires_at < log.now() + 3 * p_ttl_ms * interval '1 ms'
$$;

-- Brings a process to its fair share of a group's partitions: gives back what is over it, takes what is free.
-- A partition whose checkpoint is locked by its last owner is left for the next time, so nobody waits for a zombie.
create or replace function log.rebalance(p_process text, p_group text, p_ttl_ms int)
returns int
language plpgsql volatile
as $$
declare
  v_share int;
  v_owned int;
  v_changed int := 0;
  v_epoch bigint;
  v_partition int;
begin
  select ceil((select count(*) from log.lease where grp = p_group)::numeric / greatest(count(*), 1))
  into v_share
  from log.member where grp = p_group and log.is_current(expires_at, p_ttl_ms);
  select count(*) into v_owned from log.lease where grp = p_group and owner = p_process;

  if v_owned > v_share then
    update log.lease l
    set owner = null, expires_at = '-infinity'
    from (
      select partition from log.lease where grp = p_group and owner = p_process
      order by partition desc limit v_owned - v_share for update
    ) surplus
    where l.grp = p_group and l.partition = surplus.partition;
    return v_owned - v_share;
  end if;

  for v_partition in
    select partition from log.lease
    where grp = p_group and (owner is null or not log.is_current(expires_at, p_ttl_ms))
    order by partition limit greatest(v_share - v_owned, 0) for update skip locked
  loop
    continue when (
      select count(*) from log.checkpoint where grp = p_group and partition = v_partition
    ) <> (
      select count(*) from (
        select 1 from log.checkpoint where grp = p_group and partition = v_partition for update skip locked
      ) locked
    );
    update log.lease
    set owner = p_process, epoch = epoch + 1, expires_at = log.now() + p_ttl_ms * interval '1 ms'
    where grp = p_group and partition = v_partition
    returning epoch into v_epoch;
    update log.checkpoint set epoch = v_epoch where grp = p_group and partition = v_partition;
    v_changed := v_changed + 1;
  end loop;
  return v_changed;
end
$$;

create or replace function log.leave(p_process text)
returns void
language sql volatile
as $$
  delete from log.member where process = p_process;
  update log.lease set owner = null, expires_at = '-infinity' where owner = p_process
$$;
