-- From which sequence on an endpoint's messages are kept. Adds a column with a default: locks webhooks.position for an instant.

-- Version 0.1.0, running beside, drops nothing and does not read it.
alter table webhooks.position add column kept_from bigint not null default 1 check (kept_from >= 1);
