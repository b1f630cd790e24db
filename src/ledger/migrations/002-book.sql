-- Accounts with limits, holds, and what entries asked for by callers need; locks ledger.entry for an instant, for columns
-- that the version before leaves null. The rest is new.

alter table ledger.entry
  -- Digest of what was asked for under the caller's id; null for what payments have booked.
  add column fingerprint text,
  add column hold text;

-- Accounts that somebody opened. One that nobody did, as those of payments, follows from its name and has no limits.
create table ledger.account (
  tenant text not null,
  mode text not null,
  account text not null,
  type text not null check (type in ('asset', 'liability', 'equity', 'income', 'expense')),
  normal_side text not null check (normal_side in ('debit', 'credit')),
  currency text,
  parent text,
  floor numeric,
  ceiling numeric,
  is_guarded boolean not null check (is_guarded or (floor is null and ceiling is null)),
  details text,
  opened_at timestamptz not null,
  closed_at timestamptz,
  primary key (tenant, mode, account)
);

-- What a guarded account has in each currency, moved with every entry on it: decisions are taken under these rows' locks.
create table ledger.guard (
  tenant text not null,
  mode text not null,
  account text not null,
  currency text not null,
  -- Debits less credits, in minor units.
  posted numeric not null,
  held_debit numeric not null check (held_debit >= 0),
  held_credit numeric not null check (held_credit >= 0),
  primary key (tenant, mode, account, currency)
) with (fillfactor = 50);

create table ledger.hold (
  tenant text not null,
  mode text not null,
  id text not null,
  purpose text not null,
  debit text not null,
  credit text not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  state text not null check (state in ('held', 'posted', 'voided', 'expired')),
  fingerprint text not null,
  placed_at timestamptz not null,
  expires_at timestamptz,
  -- Id and digest of the command that posted or voided it.
  ending_id text,
  ending_fingerprint text,
  ended_at timestamptz,
  primary key (tenant, mode, id),
  check ((state = 'held') = (ending_id is null))
);
create index hold_open on ledger.hold (tenant, mode, debit, credit) where state = 'held';
create index hold_open_by_credit on ledger.hold (tenant, mode, credit) where state = 'held';
-- For lists, newest first.
create index hold_by_debit on ledger.hold (tenant, mode, debit, placed_at, id);
create index hold_by_credit on ledger.hold (tenant, mode, credit, placed_at, id);

-- An entry is reversed once.
create table ledger.reversal (
  tenant text not null,
  mode text not null,
  source text not null,
  reversed_by text not null,
  primary key (tenant, mode, source)
);
create unique index reversal_by on ledger.reversal (tenant, mode, reversed_by);

create table ledger.period (
  tenant text not null,
  mode text not null,
  -- Nothing is booked with an effective time up to and with this one.
  closed_through timestamptz not null,
  primary key (tenant, mode)
);

-- Reads, under lock, what commands are decided on. Locks in the order in which everybody takes them: the accounts as a
-- whole (shared: who opens, changes or closes accounts or periods takes it alone), schedules (007), holds, guards; each sorted.
-- Volatile on purpose: every statement sees what was committed before it, and so what the locks before it waited for.
-- Raises serialization_failure where a hold, an entry or a guard that is asked about came while we waited: it, or its accounts,
-- were not locked with the others, and to leave it out would be to refuse what has been done.
create function ledger.open_book(p_tenant text, p_mode text, p_accounts text[], p_sources text[], p_holds text[])
returns json
language plpgsql volatile
as $$
declare
  v_accounts text[];
  v_held int;
  v_there int;
  v_guarded int;
  v_found int;
  v_guards json;
  v_holds json;
  v_booked json;
  v_schedules json;
begin
  perform pg_advisory_xact_lock_shared(hashtext('ledger.account'));
  select json_agg(json_build_array(s.source, s.fingerprint, s.state, floor(extract(epoch from s.due_at) * 1000))) into v_schedules
  from (
    select * from ledger.schedule
    where tenant = p_tenant and mode = p_mode and source = any (p_sources) order by source for update
  ) s;
  select count(*) into v_held
  from (
    select id from ledger.hold
    where tenant = p_tenant and mode = p_mode and id = any (p_holds) order by id for update
  ) h;

  select p_accounts || coalesce(array_agg(a.account), '{}'), count(distinct a.source) into v_accounts, v_there
  from (
    select unnest(array[h.debit, h.credit]) as account, null as source from ledger.hold h
    where h.tenant = p_tenant and h.mode = p_mode and h.id = any (p_holds)
    union
    select unnest(e.accounts), e.source from ledger.entry e
    where e.tenant = p_tenant and e.mode = p_mode and e.source = any (p_sources)
  ) a;

  perform 1 from ledger.guard g
  where g.tenant = p_tenant and g.mode = p_mode and g.account = any (v_accounts)
  order by g.account, g.currency for update;
  get diagnostics v_guarded = row_count;

  select json_agg(json_build_array(g.account, g.currency, g.posted::text, g.held_debit::text, g.held_credit::text)), count(*)
  into v_guards, v_found
  from ledger.guard g
  where g.tenant = p_tenant and g.mode = p_mode and g.account = any (v_accounts);
  if v_found <> v_guarded then
    raise exception 'an account was first used by another process' using errcode = 'serialization_failure';
  end if;

  select json_agg(json_build_array(h.id, h.purpose, h.debit, h.credit, h.amount::text, h.currency, h.state,
    extract(epoch from h.expires_at) * 1000, h.fingerprint, h.ending_id, h.ending_fingerprint)), count(*)
  into v_holds, v_found
  from ledger.hold h
  where h.tenant = p_tenant and h.mode = p_mode and h.id = any (p_holds);
  if v_found <> v_held then
    raise exception 'a hold was placed by another process' using errcode = 'serialization_failure';
  end if;

  select json_agg(json_build_array(e.source, e.id, e.fingerprint, e.accounts, e.amounts::text[], e.currencies, r.reversed_by)),
    count(*)
  into v_booked, v_found
  from ledger.entry e
  left join ledger.reversal r on r.tenant = e.tenant and r.mode = e.mode and r.source = e.source
  where e.tenant = p_tenant and e.mode = p_mode and e.source = any (p_sources);
  if v_found <> v_there then
    raise exception 'an entry was booked by another process' using errcode = 'serialization_failure';
  end if;

  return json_build_object(
    'now_ms', floor(extract(epoch from log.now()) * 1000),
    'closed_ms', (
      select extract(epoch from p.closed_through) * 1000 from ledger.period p
      where p.tenant = p_tenant and p.mode = p_mode
    ),
    'accounts', (
      select json_agg(json_build_array(a.account, a.type, a.normal_side, a.currency, a.parent, a.floor::text,
        a.ceiling::text, a.is_guarded, a.closed_at is not null))
      from ledger.account a
      where a.tenant = p_tenant and a.mode = p_mode and a.account = any (v_accounts)
    ),
    'guards', v_guards,
    'holds', v_holds,
    'schedules', v_schedules,
    'booked', v_booked
  );
end
$$;

-- Writes what was decided. Raises serialization_failure where another process wrote a new guard, hold, entry or reversal
-- of the same name first: what was decided without it is decided again.
create function ledger.write_book(p_tenant text, p_mode text, p_now_ms float8,
  p_sources text[], p_ids text[], p_purposes text[], p_accounts text[], p_amounts text[], p_currencies text[],
  p_effective_ms float8[], p_events text[], p_traceparents text[], p_fingerprints text[], p_entry_holds text[],
  p_reversed text[], p_reversals text[], p_guards json, p_new_guards json, p_holds json,
  p_new_holds json)
returns void
language plpgsql volatile
as $$
declare
  v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
  v_wanted int;
  v_written int;
begin
  if p_new_guards is not null then
    insert into ledger.guard (tenant, mode, account, currency, posted, held_debit, held_credit)
    select p_tenant, p_mode, g.account, g.currency, g.posted, g.held_debit, g.held_credit
    from json_to_recordset(p_new_guards)
      as g (account text, currency text, posted numeric, held_debit numeric, held_credit numeric)
    order by g.account, g.currency
    on conflict do nothing;
    get diagnostics v_written = row_count;
    if v_written <> json_array_length(p_new_guards) then
      raise exception 'an account was first used by another process' using errcode = 'serialization_failure';
    end if;
  end if;
  if p_guards is not null then
    update ledger.guard t
    set posted = g.posted, held_debit = g.held_debit, held_credit = g.held_credit
    from json_to_recordset(p_guards)
      as g (account text, currency text, posted numeric, held_debit numeric, held_credit numeric)
    where t.tenant = p_tenant and t.mode = p_mode and t.account = g.account and t.currency = g.currency;
  end if;

  if cardinality(p_sources) > 0 then
    insert into ledger.entry (tenant, mode, source, id, purpose, accounts, amounts, currencies, effective_at, booked_at,
      event_id, traceparent, fingerprint, hold)
    select p_tenant, p_mode, e.source, e.id, e.purpose, e.accounts::text[], e.amounts::bigint[], e.currencies::text[],
      to_timestamp(e.effective_ms / 1000.0), v_now, e.event_id, e.traceparent, e.fingerprint, e.hold
    from unnest(p_sources, p_ids, p_purposes, p_accounts, p_amounts, p_currencies, p_effective_ms, p_events,
      p_traceparents, p_fingerprints, p_entry_holds)
      as e (source, id, purpose, accounts, amounts, currencies, effective_ms, event_id, traceparent, fingerprint, hold)
    order by e.source
    on conflict do nothing;
    get diagnostics v_written = row_count;
    if v_written <> cardinality(p_sources) then
      raise exception 'an entry was booked by another process' using errcode = 'serialization_failure';
    end if;
  end if;

  if cardinality(p_reversed) > 0 then
    insert into ledger.reversal (tenant, mode, source, reversed_by)
    select p_tenant, p_mode, r.source, r.reversed_by from unnest(p_reversed, p_reversals) as r (source, reversed_by)
    order by r.source
    on conflict do nothing;
    get diagnostics v_written = row_count;
    if v_written <> cardinality(p_reversed) then
      raise exception 'an entry was reversed by another process' using errcode = 'serialization_failure';
    end if;
  end if;

  if p_new_holds is not null then
    insert into ledger.hold (tenant, mode, id, purpose, debit, credit, amount, currency, state, fingerprint, placed_at,
      expires_at, ending_id, ending_fingerprint, ended_at)
    select p_tenant, p_mode, h.id, h.purpose, h.debit, h.credit, h.amount, h.currency, h.state, h.fingerprint, v_now,
      to_timestamp(h.expires_ms / 1000.0), h.ending_id, h.ending_fingerprint, case when h.ending_id is not null then v_now end
    from json_to_recordset(p_new_holds) as h (id text, purpose text, debit text, credit text, amount bigint, currency text,
      state text, fingerprint text, expires_ms float8, ending_id text, ending_fingerprint text)
    order by h.id
    on conflict do nothing;
    get diagnostics v_written = row_count;
    if v_written <> json_array_length(p_new_holds) then
      raise exception 'a hold was placed by another process' using errcode = 'serialization_failure';
    end if;
  end if;
  if p_holds is not null then
    update ledger.hold t
    set state = h.state, ending_id = h.ending_id, ending_fingerprint = h.ending_fingerprint, ended_at = v_now
    from json_to_recordset(p_holds) as h (id text, state text, ending_id text, ending_fingerprint text)
    where t.tenant = p_tenant and t.mode = p_mode and t.id = h.id;
  end if;
end
$$;

-- What payments have booked on guarded accounts: it has happened, and no limit refuses it. After the entries, sorted. The
-- first of a currency makes the guard, after all that are there are locked, as write_book does; one that another process has
-- made between is not locked in order, so that all of it is tried again.
create function ledger.move_guards(p_tenants text[], p_modes text[], p_accounts text[], p_currencies text[], p_amounts numeric[])
returns void
language plpgsql volatile
as $$
declare
  v_there int;
  v_new int;
  v_wanted int;
begin
  -- Whoever makes an account a guarded one waits for us, or we for them: what we booked is counted once.
  perform pg_advisory_xact_lock_shared(hashtext('ledger.account'));
  perform 1
  from ledger.guard g
  join unnest(p_tenants, p_modes, p_accounts, p_currencies) as w (tenant, mode, account, currency)
    on g.tenant = w.tenant and g.mode = w.mode and g.account = w.account and g.currency = w.currency
  order by g.tenant, g.mode, g.account, g.currency
  for update of g;
  get diagnostics v_there = row_count;

  select count(*) into v_wanted
  from ledger.account a
  join unnest(p_tenants, p_modes, p_accounts) as w (tenant, mode, account)
    on a.tenant = w.tenant and a.mode = w.mode and a.account = w.account
  where a.is_guarded;
  if v_there < v_wanted then
    insert into ledger.guard (tenant, mode, account, currency, posted, held_debit, held_credit)
    select w.tenant, w.mode, w.account, w.currency, 0, 0, 0
    from unnest(p_tenants, p_modes, p_accounts, p_currencies) as w (tenant, mode, account, currency)
    join ledger.account a on a.tenant = w.tenant and a.mode = w.mode and a.account = w.account and a.is_guarded
    order by w.tenant, w.mode, w.account, w.currency
    on conflict do nothing;
    get diagnostics v_new = row_count;
    if v_there + v_new <> v_wanted then
      raise exception 'an account was first used by another process' using errcode = 'serialization_failure';
    end if;
  end if;

  update ledger.guard g
  set posted = g.posted + w.amount
  from unnest(p_tenants, p_modes, p_accounts, p_currencies, p_amounts) as w (tenant, mode, account, currency, amount)
  where g.tenant = w.tenant and g.mode = w.mode and g.account = w.account and g.currency = w.currency;
end
$$;
