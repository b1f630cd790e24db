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

create table payments.payout (
  tenant text not null,
  mode text not null,
  id text not null,
  state json not null,
  updated_at timestamptz not null,
  primary key (tenant, mode, id)
);
