-- Replaced functions and a new one, which lock nothing themselves: whoever touches several timers locks them in one order, by id, and
-- whoever fires what is due waits for nobody, so that no two of them wait for each other.

create or replace function log.lock_timers(p_ids text[])
returns void
language plpgsql security definer set search_path = log, pg_catalog
as $$
begin
  perform 1 from log.timer t where t.id = any (p_ids) order by t.id for update;
end
$$;

create or replace function log.cancel(p_ids text[])
returns void
language plpgsql security definer set search_path = log, pg_catalog
as $$
begin
  perform log.lock_timers(p_ids);
  delete from log.timer t where t.id = any (p_ids);
end
$$;

-- Of the firings given, those that still count; each counts once.
create or replace function log.spend_timers(p_ids text[], p_generations bigint[])
returns table (id text, generation bigint)
language plpgsql volatile security definer set search_path = log, pg_catalog
as $$
#variable_conflict use_column
begin
  perform log.lock_timers(p_ids);
  return query
  delete from log.timer t
  using unnest(p_ids, p_generations) as w (id, generation)
  where t.id = w.id and t.generation = w.generation
  returning t.id, t.generation;
end
$$;

-- Marks due timers as fired and returns them; the caller appends their events in the same transaction. One that somebody is about
-- to move or cancel is looked at again: it may not be due when that is through.
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
      for update skip locked
    ) due
    where t.id = due.id
    returning t.id, t.generation, t.event, t.due_at
  )
  -- An update returns its rows in no order; two timers of a key are appended in theirs.
  select f.id, f.generation, f.event from fired f order by f.due_at, f.id
$$;
