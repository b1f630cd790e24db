-- Data keys of persons and payments, and the register of those erased. New tables only: locks nothing in use.
-- One row a subject. `wrapped` is the key under the master key; null once destroyed, and then the row
-- stays: it is what makes a later request for the subject's key find it erased.
create table vault.data_key (
  key_id text primary key,
  tenant text not null,
  subject text not null,
  wrapped bytea,
  created_at timestamptz not null,
  destroyed_at timestamptz,
  unique (subject, tenant),
  check ((wrapped is null) = (destroyed_at is not null))
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
