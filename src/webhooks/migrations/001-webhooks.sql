-- Endpoints of webhooks, and the stream of each. New tables only; locks nothing.

-- Grows with every change of an endpoint: who keeps endpoints in memory sees by it what has changed.
create sequence webhooks.revision;

create table webhooks.endpoint (
  id text collate "C" primary key,
  tenant text not null,
  mode text not null,
  -- Which shape of payload it was made with.
  version text not null,
  patterns text[] not null,
  -- Sealed: address, description, signing secrets. Null once it is deleted.
  box text,
  status text not null check (status in ('enabled', 'disabled', 'deleted')),
  reason text check (reason in ('failing', 'gone', 'by_hand')),
  -- Set when no delivery has succeeded for a while: since when.
  failing_since timestamptz,
  disabled_at timestamptz,
  rate_limit int,
  revision bigint not null default nextval('webhooks.revision'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((status = 'deleted') = (box is null)),
  check ((status = 'disabled') = (reason is not null))
);
create index endpoint_of on webhooks.endpoint (tenant, mode, id) where status <> 'deleted';

-- How far the stream of an endpoint is written, and how far it was handed to deliveries. Whoever writes the stream holds
-- this row until the commit, so sequences have no gaps.
create table webhooks.position (
  endpoint text collate "C" primary key references webhooks.endpoint,
  next_sequence bigint not null default 1,
  -- Last sequence handed to deliveries; behind by more than nothing when the endpoint has too much open.
  pushed bigint not null default 0,
  -- Deliveries ever handed over; less those that are over, it is the backlog.
  enqueued bigint not null default 0,
  -- Which time this stream is being delivered: grows with every replay.
  round int not null default 0,
  check (pushed < next_sequence)
) with (fillfactor = 50);

-- What an endpoint was, is and will be sent, in order, in its own version: written once and never changed, so that a
-- delivery, its repetition and the pull of it say the same. Nothing in it is personal: what is sealed on the log stays out.
-- No foreign key: endpoints are never deleted but in name, and the check would lock one for each message.
create table webhooks.message (
  endpoint text collate "C" not null,
  sequence bigint not null,
  event_id text not null,
  type text not null,
  key text not null,
  payload text not null,
  traceparent text not null,
  correlation_id text not null,
  created_at timestamptz not null,
  primary key (endpoint, sequence)
);
