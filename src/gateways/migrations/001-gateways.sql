-- Which gateway object belongs to which payment, and what waits to be placed. New tables only; locks nothing.

-- Every gateway event once: f(account, event id). Keys begin with what differs: comparing costs as much as inserting.
create table gateways.event (
  tenant text not null,
  mode text not null,
  account text not null,
  event_id text not null,
  primary key (event_id, account, tenant, mode)
);

create table gateways.object (
  tenant text not null,
  mode text not null,
  account text not null,
  object_id text not null,
  payment text,
  primary key (object_id, account, tenant, mode)
) with (fillfactor = 80);
create index object_payment on gateways.object (payment);

-- Events that name no payment yet: placed when a parent of theirs is.
create table gateways.held (
  tenant text not null,
  mode text not null,
  account text not null,
  event_id text not null,
  event json not null,
  held_at timestamptz not null,
  primary key (tenant, mode, account, event_id)
);
create table gateways.held_for (
  tenant text not null,
  mode text not null,
  account text not null,
  object_id text not null,
  event_id text not null,
  primary key (tenant, mode, account, object_id, event_id)
);
