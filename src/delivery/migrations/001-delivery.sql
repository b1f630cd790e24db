-- Deliveries: every call to the outside, with its attempts. New tables only; locks nothing.

-- Ids and destinations are compared byte by byte: whoever makes them up may put what belongs together side by side.
-- Heads and attempts name deliveries without a foreign key: nothing deletes a delivery, and the check of each row, which
-- locks the delivery, cost half of what recording an attempt did.
create table delivery.delivery (
  id text collate "C" primary key,
  sequence bigint generated always as identity,
  destination text collate "C" not null,
  key text not null,
  state text not null default 'pending' check (state in ('pending', 'done', 'held', 'canceled')),
  payload json not null,
  not_after timestamptz,
  tenant text not null,
  mode text not null,
  traceparent text not null,
  correlation_id text not null,
  cause_id text not null,
  attempts int not null default 0,
  first_attempt_at timestamptz,
  created_at timestamptz not null
  -- Room for the row that says that an attempt was begun, beside the one it replaces.
) with (fillfactor = 75);
create index delivery_next on delivery.delivery (destination, key, sequence) where state = 'pending';

-- The next delivery of each (destination, key): what a deliverer reads, so that it never scans a backlog.
create table delivery.head (
  destination text collate "C" not null,
  key text not null,
  delivery_id text collate "C" not null,
  ready_at timestamptz not null,
  primary key (destination, key)
);
create index head_ready on delivery.head (destination, ready_at);

create table delivery.attempt (
  delivery_id text collate "C" not null,
  attempt int not null,
  kind text not null check (kind in ('send', 'ask')),
  outcome text not null,
  reason text,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  -- What the destination keeps of what was said and answered; sealed where it may be personal.
  detail text,
  primary key (delivery_id, attempt)
);

-- How many deliveries of a destination are over. Whoever counts those it enqueues knows the backlog without a scan.
-- Written under the destination's lease: a row that nobody else waits for.
create table delivery.settled (
  destination text collate "C" primary key,
  count bigint not null
) with (fillfactor = 50);

-- Called by consumers, in their transaction. Touching the head that is there keeps its lock until the commit: whoever
-- settles it meanwhile waits, and then sees these deliveries. Arrays, because json_to_recordset builds a hash table for
-- every row.
create function delivery.enqueue(p_ids text[], p_destinations text[], p_keys text[], p_payloads text[],
  p_not_after bigint[], p_tenants text[], p_modes text[], p_traceparents text[], p_correlations text[], p_causes text[])
returns void
language plpgsql volatile security definer set search_path = delivery, pg_catalog
as $$
declare
  v_now timestamptz := log.now();
begin
  with new as (
    insert into delivery.delivery (id, destination, key, payload, not_after, tenant, mode, traceparent,
      correlation_id, cause_id, created_at)
    select d.id, d.destination, d.key, d.payload::json, to_timestamp(d.not_after / 1000.0), d.tenant, d.mode,
      d.traceparent, d.correlation, d.cause, v_now
    from unnest(p_ids, p_destinations, p_keys, p_payloads, p_not_after, p_tenants, p_modes, p_traceparents,
      p_correlations, p_causes) as d (id, destination, key, payload, not_after, tenant, mode, traceparent, correlation,
      cause)
    on conflict (id) do nothing
    returning id, destination, key, sequence
  )
  insert into delivery.head as h (destination, key, delivery_id, ready_at)
  select distinct on (n.destination, n.key) n.destination, n.key, n.id, v_now
  from new n
  order by n.destination, n.key, n.sequence
  on conflict (destination, key) do update set delivery_id = h.delivery_id;
end
$$;

-- How many deliveries of these destinations are over, by the calling statement's snapshot.
create function delivery.settled_of(p_destinations text[])
returns table (destination text, count bigint)
language sql stable security definer set search_path = delivery, pg_catalog
as $$
  select s.destination, s.count from delivery.settled s where s.destination = any (p_destinations)
$$;

-- Takes back what is still to be delivered of a destination, ids from p_from on and before p_to. A call that is under way is
-- not stopped; it settles nothing any more. The heads are locked first, as whoever settles locks them.
create function delivery.cancel(p_destination text, p_from text, p_to text)
returns int
language plpgsql volatile security definer set search_path = delivery, pg_catalog
as $$
declare
  v_canceled int;
begin
  perform 1 from delivery.head h where h.destination = p_destination order by h.key for update;

  update delivery.delivery d set state = 'canceled'
  where d.destination = p_destination and d.state = 'pending' and d.id >= p_from and d.id < p_to;
  get diagnostics v_canceled = row_count;

  insert into delivery.settled as s (destination, count) values (p_destination, v_canceled)
  on conflict (destination) do update set count = s.count + excluded.count;

  with over as (
    select h.key, (
      select n.id from delivery.delivery n
      where n.destination = h.destination and n.key = h.key and n.state = 'pending'
      order by n.sequence limit 1) as next
    from delivery.head h join delivery.delivery d on d.id = h.delivery_id
    where h.destination = p_destination and d.state = 'canceled'
  ), moved as (
    update delivery.head h set delivery_id = over.next, ready_at = log.now()
    from over where h.destination = p_destination and h.key = over.key and over.next is not null
  )
  delete from delivery.head h using over
  where h.destination = p_destination and h.key = over.key and over.next is null;
  return v_canceled;
end
$$;

-- Lets go at once whatever of a destination waits for its next attempt: it is known to answer again. In order, because an
-- update locks in any.
create function delivery.hasten(p_destination text)
returns void
language plpgsql volatile security definer set search_path = delivery, pg_catalog
as $$
begin
  perform 1 from delivery.head h where h.destination = p_destination order by h.key for update;
  update delivery.head h set ready_at = log.now()
  where h.destination = p_destination and h.ready_at > log.now() and h.ready_at < 'infinity';
end
$$;
