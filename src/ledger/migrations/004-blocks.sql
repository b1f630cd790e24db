-- Blocks: what seals the entries of each partition of topic `ledger`. New tables only; locks nothing. Written by the
-- projection `statements` alone, which reads the log from its beginning.

create table ledger.block (
  partition int not null,
  number bigint not null,
  entries int not null,
  first_offset bigint not null,
  last_offset bigint not null,
  first_ms bigint not null,
  last_ms bigint not null,
  root text not null,
  previous text not null,
  hash text not null,
  primary key (partition, number)
);

-- The block that grows: of its tree only the roots of full subtrees are kept.
create table ledger.open_block (
  partition int primary key,
  number bigint not null,
  entries int not null,
  first_offset bigint not null,
  last_offset bigint not null,
  first_ms bigint not null,
  last_ms bigint not null,
  roots text[] not null,
  previous text not null
) with (fillfactor = 50);
