-- Which template of the configuration made an entry. A new table only; locks nothing. It stands beside the entry and not in its
-- row, as few entries have one: see conversions.

create table ledger.entry_template (
  tenant text not null,
  mode text not null,
  source text not null,
  template text not null,
  version int not null check (version > 0),
  primary key (tenant, mode, source)
);

create trigger entry_template_is_final before update or delete on ledger.entry_template
for each row execute function ledger.refuse_change();
create trigger entry_template_is_kept before truncate on ledger.entry_template
for each statement execute function ledger.refuse_change();
