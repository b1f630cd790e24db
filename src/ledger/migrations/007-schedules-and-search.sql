-- Entries to be booked at a time, and what entries are searched by. New tables and a function only; locks nothing.

create table ledger.schedule (
  tenant text not null,
  mode text not null,
  -- Of the entry that is to be booked: its id is used up, whatever becomes of it.
  source text not null,
  fingerprint text not null,
  purpose text not null,
  -- The command that is to be decided then, amounts as text.
  command json not null,
  due_at timestamptz not null,
  state text not null check (state in ('scheduled', 'booked', 'refused', 'canceled')),
  -- Why it was not booked.
  refusal json check ((refusal is not null) = (state = 'refused')),
  placed_at timestamptz not null,
  ended_at timestamptz check ((ended_at is null) = (state = 'scheduled')),
  primary key (tenant, mode, source)
);
create index schedule_in_order on ledger.schedule (tenant, mode, state, due_at, source);

-- Raises serialization_failure where another process scheduled something under the same id first.
create function ledger.write_schedules(p_tenant text, p_mode text, p_now_ms float8, p_new json, p_ended json)
returns void
language plpgsql volatile
as $$
declare
  v_now timestamptz := to_timestamp(p_now_ms / 1000.0);
  v_written int;
begin
  if p_new is not null then
    insert into ledger.schedule (tenant, mode, source, fingerprint, purpose, command, due_at, state, placed_at, ended_at)
    select p_tenant, p_mode, s.source, s.fingerprint, s.purpose, s.command, to_timestamp(s.due_ms / 1000.0), s.state, v_now,
      case when s.state <> 'scheduled' then v_now end
    from json_to_recordset(p_new)
      as s (source text, fingerprint text, purpose text, command json, due_ms float8, state text)
    order by s.source
    on conflict do nothing;
    get diagnostics v_written = row_count;
    if v_written <> json_array_length(p_new) then
      raise exception 'an entry was scheduled by another process' using errcode = 'serialization_failure';
    end if;
  end if;
  if p_ended is not null then
    update ledger.schedule t
    set state = s.state, refusal = s.refusal, ended_at = v_now
    from json_to_recordset(p_ended) as s (source text, state text, refusal json)
    where t.tenant = p_tenant and t.mode = p_mode and t.source = s.source;
  end if;
end
$$;

-- One row an entry, for those who look for some: the entry itself cannot get an index any more without locking out whoever
-- books. Written by the projection `statements` alone, which reads the log from its beginning.
create table ledger.filed (
  tenant text not null,
  mode text not null,
  effective_at timestamptz not null,
  source text not null,
  entry text not null,
  purpose text not null,
  -- The payment or payout that it is of.
  payment text,
  primary key (tenant, mode, effective_at, source)
);
create index filed_by_entry on ledger.filed (tenant, mode, entry);
create index filed_by_purpose on ledger.filed (tenant, mode, purpose, effective_at, source);
create index filed_by_payment on ledger.filed (tenant, mode, payment, effective_at, source) where payment is not null;
