-- Conversions and revaluations. New tables only; locks nothing. What was converted stands beside its entry and not in its row:
-- a column of ledger.entry could be found in order only by an index that would lock out whoever books while it is made.

-- One row for each entry that moved positions in currencies, written with it.
create table ledger.conversion (
  tenant text not null,
  mode text not null,
  source text not null,
  effective_at timestamptz not null,
  -- Of position accounts: what we are longer by in each currency, in minor units.
  currencies text[] not null,
  amounts numeric[] not null,
  -- What exactly was converted, at which rate of which source, and what rounding left; null where an entry undoes another.
  details json,
  primary key (tenant, mode, source),
  check (cardinality(currencies) = cardinality(amounts))
);
create index conversion_in_order on ledger.conversion (tenant, mode, effective_at, source);

-- One row for each currency and day on which its position was valued anew and the books had to change, in each base.
create table ledger.revaluation (
  tenant text not null,
  mode text not null,
  base text not null,
  currency text not null,
  day date not null,
  -- Of the entries that book the gains; null for a gain of nothing.
  realised_source text,
  unrealised_source text,
  -- What we were long, in minor units of the currency; what that had cost and was worth, in those of the base.
  quantity numeric not null,
  cost numeric not null,
  value numeric not null,
  -- What of the realised gain was not in the books before, and all of it that is in them since, from the beginning.
  realised numeric not null,
  realised_total numeric not null,
  -- On what was left: whole, because none of it is in the books when the next day begins.
  unrealised numeric not null,
  -- Null where nothing was left of the position.
  rate json,
  primary key (tenant, mode, base, currency, day)
);

-- Positions as they were at the end of a day, so that the next revaluation need not read what was before it. Kept only where
-- every conversion of the days up to it had been counted; a later one of those days takes them away with it.
create table ledger.position (
  tenant text not null,
  mode text not null,
  day date not null,
  base text not null,
  currency text not null,
  quantity numeric not null,
  cost numeric not null,
  -- From the beginning.
  realised numeric not null,
  primary key (tenant, mode, day, base, currency)
);

create trigger conversion_is_final before update or delete on ledger.conversion
for each row execute function ledger.refuse_change();
create trigger conversion_is_kept before truncate on ledger.conversion
for each statement execute function ledger.refuse_change();
create trigger revaluation_is_final before update or delete on ledger.revaluation
for each row execute function ledger.refuse_change();
create trigger revaluation_is_kept before truncate on ledger.revaluation
for each statement execute function ledger.refuse_change();
