-- Exchange rates, by source and day. New tables only; locks nothing.

create table fx.rate (
  -- Both empty: a rate of the installation, which every tenant uses in both modes.
  tenant text not null,
  mode text not null,
  source text not null,
  base text not null,
  currency text not null check (currency <> base),
  effective_on date not null,
  -- Units of the currency for one unit of the base, as it was published.
  rate numeric not null check (rate > 0),
  recorded_at timestamptz not null,
  primary key (tenant, mode, source, base, currency, effective_on),
  check ((tenant = '') = (mode = ''))
);
create index rate_by_day on fx.rate (tenant, mode, currency, effective_on);
create index rate_by_base on fx.rate (tenant, mode, base, currency, effective_on);
