-- What of the log is in the archive: a new table, replaced functions. Nothing that is read or written is locked; how
-- log.record is vacuumed is changed under a lock that keeps out vacuum and schema changes alone, for an instant.

-- A segment is a range of offsets of one partition, written to one file. Segments of a partition follow each other without
-- a gap, from offset 0 on. Rows of one that is not 'kept' may be missing, some or all of them:
--   kept → dropping → dropped → restoring → kept
-- Whoever reads by offset stops before the first such segment; see log.take.
create table log.segment (
  topic text not null,
  partition int not null,
  first_offset bigint not null,
  end_offset bigint not null,
  first_position bigint not null,
  first_time timestamptz not null,
  -- The latest of all: the clock may have been set back in between.
  last_time timestamptz not null,
  file text not null,
  bytes bigint not null,
  -- SHA-256 of the file, which holds the one of the segment before.
  checksum text not null,
  state text not null default 'kept' check (state in ('kept', 'dropping', 'dropped', 'restoring')),
  archived_at timestamptz not null,
  primary key (topic, partition, end_offset),
  -- Two who archive the same at once begin at the same offset: the second fails.
  unique (topic, partition, first_offset),
  check (first_offset < end_offset)
);
create index segment_missing on log.segment (topic, partition, end_offset) where state <> 'kept';
create index segment_standing on log.segment (last_time) where state <> 'dropped';

-- Rows go a segment at a time. By the defaults a fifth of the table would have to be dead before it is vacuumed.
alter table log.record set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 20000);

-- As before, and nothing from beyond a hole: of its own topic nothing past the first missing segment, and of the group's
-- other topics nothing that was appended after it, or an event would be seen before its cause. One statement sees
-- segments and rows alike: a segment is marked in a transaction before the first of its rows goes.
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
    from (
      select c.topic, c.partition, c.next_offset, coalesce(g.first_offset, 9223372036854775807) as end_offset,
        coalesce(min(g.first_position) over (partition by c.partition), 9223372036854775807) as last_position
      from unnest(v_topics, v_partitions, v_offsets) as c (topic, partition, next_offset)
      left join lateral (
        select m.first_offset, m.first_position from log.segment m
        where m.topic = c.topic and m.partition = c.partition and m.end_offset > c.next_offset and m.state <> 'kept'
        order by m.end_offset
        limit 1
      ) g on true
    ) c
    cross join lateral (
      select * from log.record r
      where r.topic = c.topic and r.partition = c.partition
        and r."offset" >= c.next_offset and r."offset" < c.end_offset and r.position <= c.last_position
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

-- As before; and rather than an answer with something missing, none.
create or replace function log.unread(p_group text)
returns table (type text, event text)
language plpgsql stable security definer set search_path = log, pg_catalog
as $$
begin
  if exists (
    select from log.checkpoint k
    join log.segment g on g.topic = k.topic and g.partition = k.partition and g.end_offset > k.next_offset
    where k.grp = p_group and g.state <> 'kept'
  ) then
    raise exception '% is behind the archive: some of what it has not read is in no table', p_group
      using errcode = 'MR001';
  end if;
  return query
  select r.type, r.event
  from log.checkpoint k
  join log.record r on r.topic = k.topic and r.partition = k.partition and r."offset" >= k.next_offset
  where k.grp = p_group;
end
$$;
