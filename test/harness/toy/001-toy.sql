-- What the handlers of the toy module have seen, written in the transactions they ran in.
create table toy.seen (
  sequence bigint generated always as identity primary key,
  grp text not null,
  event json not null
);
