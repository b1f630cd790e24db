-- Data keys of persons and payments, and the register of those erased. New tables only: locks nothing in use.
-- A subject may have several; the ids of all begin alike. `salt` is what the master key makes the key
-- from; null once destroyed, and then the row stays: a key without one was never made here.
create table vault.data_key (
  key_id text primary key,
  tenant text not null,
  subject text not null,
  salt bytea,
  created_at timestamptz not null,
  destroyed_at timestamptz,
  check ((salt is null) = (destroyed_at is not null))
);

-- Outlives backups: a restore applies it again before the door opens.
create table vault.erasure (
  tenant text not null,
  subject text not null,
  erased_at timestamptz not null,
  primary key (tenant, subject)
);

-- What the master key of this database answers to a fixed question, so that another key is noticed at start.
create table vault.master_key (
  singleton boolean primary key default true check (singleton),
  answer text not null
);

-- Stores new keys, and for subjects that are erased only that there was one. Volatile: the insert sees the erasures
-- that the lock waited for.
create function vault.bring_keys(p_ids text[], p_tenants text[], p_subjects text[], p_salt text[], p_created_ms float8[])
returns void
language plpgsql volatile
as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('vault.data_key'));
  insert into vault.data_key (key_id, tenant, subject, salt, created_at, destroyed_at)
  select k.id, k.tenant, k.subject, case when e.at is null then decode(k.salt, 'hex') end, k.created_at,
    case when e.at is not null then k.created_at end
  from (
    select id, tenant, subject, salt, to_timestamp(created_ms / 1000.0) as created_at
    from unnest(p_ids, p_tenants, p_subjects, p_salt, p_created_ms) as w (id, tenant, subject, salt, created_ms)
  ) k
  -- The limit pins the index, whatever the planner thinks of a table that was empty when it looked.
  left join lateral (
    select erased_at as at from vault.erasure r where r.tenant = k.tenant and r.subject = k.subject limit 1
  ) e on true
  -- A key travels with everything that is sealed under it before it is known to be stored.
  order by k.id
  on conflict (key_id) do nothing;
end
$$;
