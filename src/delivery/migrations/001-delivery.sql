-- Deliveries: every call to the outside, with its attempts. New tables only; locks nothing.

create table delivery.delivery (
  id text primary key,
  sequence bigint generated always as identity,
  destination text not null,
  key text not null,
  state text not null default 'pending' check (state in ('pending', 'done', 'held')),
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
);
create index delivery_next on delivery.delivery (destination, key, sequence) where state = 'pending';

-- The next delivery of each (destination, key): what a deliverer reads, so that it never scans a backlog.
create table delivery.head (
  destination text not null,
  key text not null,
  delivery_id text not null references delivery.delivery,
  ready_at timestamptz not null,
  primary key (destination, key)
);
create index head_ready on delivery.head (destination, ready_at);

create table delivery.attempt (
  delivery_id text not null references delivery.delivery,
  attempt int not null,
  kind text not null check (kind in ('send', 'ask')),
  outcome text not null,
  reason text,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  primary key (delivery_id, attempt)
);

-- Called by consumers, in their transaction. Touching the head that is there keeps its lock until the commit: whoever
-- settles it meanwhile waits, and then sees these deliveries.
create function delivery.enqueue(p_deliveries json)
returns void
language plpgsql volatile security definer set search_path = delivery, pg_catalog
as $$
begin
  with new as (
    insert into delivery.delivery (id, destination, key, payload, not_after, tenant, mode, traceparent,
      correlation_id, cause_id, created_at)
    select d.id, d.destination, d.key, d.payload, to_timestamp(d.not_after / 1000.0), d.tenant, d.mode, d.traceparent,
      d.correlation, d.cause, log.now()
    from json_to_recordset(p_deliveries) as d (id text, destination text, key text, payload json, not_after bigint,
      tenant text, mode text, traceparent text, correlation text, cause text)
    on conflict (id) do nothing
    returning id, destination, key, sequence
  )
  insert into delivery.head as h (destination, key, delivery_id, ready_at)
  select distinct on (n.destination, n.key) n.destination, n.key, n.id, log.now()
  from new n
  order by n.destination, n.key, n.sequence
  on conflict (destination, key) do update set delivery_id = h.delivery_id;
end
$$;
