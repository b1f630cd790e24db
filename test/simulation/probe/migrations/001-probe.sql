-- What the probe's consumers did, as they did it: nothing here forgives a repetition or a wrong order.
create table probe.handled (
  sequence bigint generated always as identity primary key,
  consumer text not null,
  event_id text not null,
  topic text not null,
  "offset" bigint not null,
  key text not null,
  kind text not null,
  job text not null,
  timer text
);

create table probe.job (
  job text primary key,
  outcome text
);

create table probe.total (
  account text primary key,
  amount bigint not null,
  entries int not null
);
