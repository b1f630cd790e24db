-- Secrets of the installation, sealed. A new table only: locks nothing in use.

create table secrets.secret (
  name text primary key check (name ~ '^[A-Za-z0-9_-]{1,64}$'),
  -- Whose data key it is: another with every value, so that a replaced value can be made unreadable.
  id text not null unique,
  sealed text not null check (sealed ~ '^s1\.[0-9a-z]{26}\.'),
  set_at timestamptz not null
);
