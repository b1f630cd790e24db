-- Statements: every posting as a line of its account, and sums by day. New tables only; locks nothing. Written by the
-- projection `statements` alone, which reads the log from its beginning.

create table ledger.line (
  tenant text not null,
  mode text not null,
  account text not null,
  currency text not null,
  effective_at timestamptz not null,
  source text not null,
  place int not null,
  booked_at timestamptz not null,
  -- Debits above zero, credits below.
  amount numeric not null,
  -- The account first: it is what tells keys apart, and every comparison in the index begins with it.
  primary key (account, tenant, mode, currency, effective_at, source, place)
);

-- What was booked on each day with an effect on each day (UTC): a balance at an instant of either is a sum of whole days and
-- the lines of two.
create table ledger.day (
  tenant text not null,
  mode text not null,
  account text not null,
  currency text not null,
  effective_day date not null,
  booked_day date not null,
  stripe int not null,
  debit numeric not null,
  credit numeric not null,
  entries bigint not null,
  primary key (account, tenant, mode, currency, effective_day, booked_day, stripe)
) with (fillfactor = 50);
