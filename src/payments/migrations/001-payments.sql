-- The decider's state of payments and payouts. New tables only; locks nothing.

create table payments.payment (
  tenant text not null,
  mode text not null,
  id text not null,
  merchant text not null,
  customer text,
  fingerprint text,
  details text,
  status text not null,
  state json not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (id, tenant, mode)
) with (fillfactor = 70);
create index payment_customer on payments.payment (tenant, customer) where customer is not null;
-- For lists, newest first. None on the status: it changes with almost every update, and an index on it would make each
-- of them write all the others too (no update could stay within its page).
create index payment_created on payments.payment (tenant, mode, created_at, id);
create index payment_merchant on payments.payment (tenant, mode, merchant, created_at, id);

create table payments.payout (
  tenant text not null,
  mode text not null,
  id text not null,
  state json not null,
  updated_at timestamptz not null,
  primary key (tenant, mode, id)
);
