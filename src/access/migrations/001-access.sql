-- Tenants and their API keys. New tables only; locks nothing.

create table access.tenant (
  id text primary key check (id ~ '^[a-z][a-z0-9_]{0,62}$'),
  created_at timestamptz not null
);

-- The key itself is nowhere: only its SHA-256.
create table access.api_key (
  hash text primary key,
  id text not null unique,
  tenant text not null references access.tenant,
  mode text not null check (mode in ('test', 'live')),
  -- Of the API: what the key was made with, and keeps.
  version text not null check (version ~ '^\d{4}-\d{2}-\d{2}$'),
  created_at timestamptz not null,
  revoked_at timestamptz
);
