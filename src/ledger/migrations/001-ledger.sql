-- The ledger: entries, each whole in one row, and balances as a projection. New tables only; locks nothing.

-- Whether the amounts of each currency add up to zero, and no posting is missing a part.
create function ledger.is_balanced(p_accounts text[], p_amounts bigint[], p_currencies text[]) returns boolean
language sql immutable parallel safe
as $$
  select cardinality(p_accounts) >= 2
    and cardinality(p_accounts) = cardinality(p_amounts)
    and cardinality(p_accounts) = cardinality(p_currencies)
    and array_position(p_accounts, null) is null
    and array_position(p_amounts, null) is null
    and array_position(p_currencies, null) is null
    and not exists (
      select 1 from unnest(p_amounts, p_currencies) as p (amount, currency)
      group by p.currency having sum(p.amount) <> 0
    )
$$;

-- An entry is one row with all its postings: there is no moment, and no bug, in which half of it is there.
-- `source` says what it books, and begins with the payment or payout: the primary key finds the entries of either.
create table ledger.entry (
  tenant text not null,
  mode text not null,
  source text not null,
  id text not null,
  purpose text not null,
  accounts text[] not null,
  amounts bigint[] not null,
  currencies text[] not null,
  effective_at timestamptz not null,
  booked_at timestamptz not null,
  event_id text not null,
  traceparent text not null,
  primary key (source, tenant, mode),
  -- Two postings, as most entries have, are checked in place: calling the function costs three times as much.
  constraint entry_balanced check (
    case when cardinality(accounts) = 2 and cardinality(amounts) = 2 and cardinality(currencies) = 2
      then coalesce(accounts[1] is not null and accounts[2] is not null
        and amounts[1] + amounts[2] = 0 and currencies[1] = currencies[2], false)
      else ledger.is_balanced(accounts, amounts, currencies)
    end
  )
);

create function ledger.refuse_change() returns trigger
language plpgsql
as $$
begin
  raise exception 'ledger entries are never changed: % on %', tg_op, tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger entry_is_final before update or delete on ledger.entry
for each row execute function ledger.refuse_change();
create trigger entry_is_kept before truncate on ledger.entry
for each statement execute function ledger.refuse_change();

-- One row a posting, for those who ask in SQL.
create view ledger.posting as
select e.tenant, e.mode, e.source, e.id as entry, split_part(e.source, '/', 1) as payment, p.place, p.account, p.amount, p.currency,
  e.effective_at, e.booked_at
from ledger.entry e
cross join lateral unnest(e.accounts, e.amounts, e.currencies) with ordinality as p (account, amount, currency, place);

-- Written by the projection `balances` alone. Striped by partition, so that a hot account is no hot row; a balance is
-- the sum of its stripes.
create table ledger.balance (
  tenant text not null,
  mode text not null,
  account text not null,
  currency text not null,
  stripe int not null,
  debit numeric not null default 0,
  credit numeric not null default 0,
  entries bigint not null default 0,
  primary key (tenant, mode, account, currency, stripe)
) with (fillfactor = 50);
