-- New and replaced functions, which lock nothing: what was just appended need not be read back. They say where events went, and
-- pass over events that the caller holds.

-- As log.append, and says where the events are: event i is at first_offset + p_places[i] of its head.
create or replace function log.append_placed(p_topics text[], p_partitions int[], p_counts int[], p_heads int[],
  p_places int[], p_keys text[], p_types text[], p_events text[], p_attachments bytea[])
returns table (head int, first_offset bigint, "position" bigint, "time" timestamptz)
language plpgsql security definer set search_path = log, pg_catalog
as $$
#variable_conflict use_column
declare
  v_position bigint;
  v_now timestamptz;
  v_firsts bigint[];
begin
  -- Sorted parameters alone do not sort locks: the planner may visit them in any order.
  perform 1
  from log.partition h
  join unnest(p_topics, p_partitions) as w (topic, partition) on h.topic = w.topic and h.partition = w.partition
  order by h.topic, h.partition
  for update of h;

  v_position := nextval('log.position');
  v_now := log.now();

  with moved as (
    update log.partition h
    set next_offset = h.next_offset + w.count
    from unnest(p_topics, p_partitions, p_counts) with ordinality as w (topic, partition, count, head)
    where h.topic = w.topic and h.partition = w.partition
    returning w.head, h.next_offset - w.count as base
  )
  select array_agg(m.base order by m.head) into v_firsts from moved m;
  -- Without a head the event would have no offset, and the caller would take it for acknowledged.
  if coalesce(cardinality(v_firsts), 0) <> cardinality(p_topics) then
    raise exception 'a topic of % has not been created', p_topics;
  end if;

  insert into log.record (topic, partition, "offset", position, time, key, type, event, attachment)
  select p_topics[e.head], p_partitions[e.head], v_firsts[e.head] + e.place, v_position, v_now, e.key, e.type, e.event,
    e.attachment
  from unnest(p_heads, p_places, p_keys, p_types, p_events, p_attachments)
    as e (head, place, key, type, event, attachment);

  return query
  select w.head::int, w.base, v_position, v_now from unnest(v_firsts) with ordinality as w (base, head);
end
$$;

create or replace function log.append(p_topics text[], p_partitions int[], p_counts int[], p_heads int[],
  p_places int[], p_keys text[], p_types text[], p_events text[], p_attachments bytea[])
returns void
language sql security definer set search_path = log, pg_catalog
as $$
  select from log.append_placed(p_topics, p_partitions, p_counts, p_heads, p_places, p_keys, p_types, p_events,
    p_attachments)
$$;

-- As before; and of a stretch of offsets that the caller holds it sends nothing but one row, which has no key and says from
-- which offset on it comes next. What comes after the stretch is read. Held events have to be merged by position with what is
-- read: a row that is_beyond has no event, and nothing of its partition that comes after it may be taken. A group with parked
-- keys, and a partition with a hole, are read as if nothing were held: what that takes is known here alone.
create or replace function log.take(p_group text, p_partitions int[], p_epochs bigint[], p_topics text[],
  p_types text[], p_per_partition int, p_total int, p_bytes bigint,
  p_held_topics text[], p_held_partitions int[], p_held_firsts bigint[], p_held_ends bigint[])
returns table (topic text, partition int, "offset" bigint, "position" bigint, "time" timestamptz, key text, type text,
  event text, is_parked boolean, is_beyond boolean)
language plpgsql volatile security definer set search_path = log, pg_catalog
as $$
#variable_conflict use_column
declare
  v_topics text[];
  v_partitions int[];
  v_offsets bigint[];
  v_has_parked boolean;
  c_end constant bigint := 9223372036854775807;
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

  v_has_parked := exists (select from log.parked_key k where k.grp = p_group);

  return query
  with next as (
    select c.*, case when not v_has_parked and c.last_position = c_end then h.end_offset end as held_end
    from (
      select c.topic, c.partition, c.next_offset, coalesce(g.first_offset, c_end) as end_offset,
        coalesce(min(g.first_position) over (partition by c.partition), c_end) as last_position
      from unnest(v_topics, v_partitions, v_offsets) as c (topic, partition, next_offset)
      left join lateral (
        select m.first_offset, m.first_position from log.segment m
        where m.topic = c.topic and m.partition = c.partition and m.end_offset > c.next_offset and m.state <> 'kept'
        order by m.end_offset
        limit 1
      ) g on true
    ) c
    left join unnest(p_held_topics, p_held_partitions, p_held_firsts, p_held_ends)
      as h (topic, partition, first_offset, end_offset)
      on h.topic = c.topic and h.partition = c.partition
        and h.first_offset <= c.next_offset and h.end_offset > c.next_offset
  )
  select n.topic, n.partition, n.next_offset, null::bigint, null::timestamptz, null::text, null::text, null::text, false,
    false
  from next n
  where n.held_end is not null
  union all (
    select e.topic, e.partition, e."offset", e.position, e.time, e.key, e.type,
      case when e.type = any (p_types) and not e.is_beyond then e.event end,
      v_has_parked and exists (select from log.parked_key k where k.grp = p_group and k.key = e.key), e.is_beyond
    from (
      select s.*, row_number() over w as place, sum(octet_length(s.event)) over w as bytes,
        sum(octet_length(s.event)) over w > p_bytes and row_number() over w > 1 as is_beyond
      from next n
      cross join lateral (
        select * from log.record r
        where r.topic = n.topic and r.partition = n.partition
          and r."offset" >= coalesce(n.held_end, n.next_offset) and r."offset" < n.end_offset
          and r.position <= n.last_position
        order by r."offset"
        limit p_per_partition
      ) s
      window w as (partition by s.partition order by s.position, s.topic, s."offset")
    ) e
    -- The first comes whatever its size, and the second then says that the partition ends there.
    where e.place <= p_per_partition and (e.bytes - octet_length(e.event) <= p_bytes or e.place <= 2)
    order by e.position, e.topic, e.partition, e."offset"
    limit p_total
  );
end
$$;

create or replace function log.take(p_group text, p_partitions int[], p_epochs bigint[], p_topics text[],
  p_types text[], p_per_partition int, p_total int, p_bytes bigint)
returns table (topic text, partition int, "offset" bigint, "time" timestamptz, key text, type text, event text,
  is_parked boolean)
language sql volatile security definer set search_path = log, pg_catalog
as $$
  select t.topic, t.partition, t."offset", t.time, t.key, t.type, t.event, t.is_parked
  from log.take(p_group, p_partitions, p_epochs, p_topics, p_types, p_per_partition, p_total, p_bytes,
    '{}', '{}', '{}', '{}') t
  where not t.is_beyond
  order by t.position, t.topic, t.partition, t."offset"
$$;
