/** Every statement of a spool file. `synchronous = full`: a commit is on the disk before it returns. */
export const sql = {
  open: `
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma auto_vacuum = none;
    create table if not exists about (name text primary key, value text not null) without rowid;
    create table if not exists waiting (sequence integer primary key, box blob not null);
    -- What could not be read, or what the log refuses: kept for a person, never dropped.
    create table if not exists aside (id integer primary key, sequence integer, box blob, reason text not null);`,
  check: 'pragma integrity_check(1)',
  /** Held for as long as its process lives: the kernel lets go of it, however that process ends. */
  hold: 'pragma journal_mode = delete; begin exclusive',
  begin: 'begin immediate',
  commit: 'commit',
  rollback: 'rollback',
  answer: `select value from about where name = 'master_key'`,
  setAnswer: `insert into about (name, value) values ('master_key', ?)`,
  append: 'insert into waiting (sequence, box) values (?, ?)',
  read: 'select sequence, box from waiting where sequence > ? order by sequence limit ?',
  salvage: 'insert into waiting (sequence, box) values (?, ?) on conflict do nothing',
  ascending: 'select sequence, box from waiting order by sequence',
  descending: 'select sequence, box from waiting order by sequence desc',
  last: `
    select max(coalesce((select max(sequence) from waiting), 0), coalesce((select max(sequence) from aside), 0)) as last`,
  summary: 'select count(*) as rows, coalesce(sum(length(box)), 0) as bytes from waiting',
  setAside: `
    insert into aside (sequence, box, reason)
    select sequence, box, ? from waiting where sequence = ?`,
  note: 'insert into aside (sequence, reason) values (?, ?)',
  noted: 'select count(*) as rows from aside where sequence = ?',
  remove: 'delete from waiting where sequence <= ?',
  removeOne: 'delete from waiting where sequence = ?',
  asides: 'select sequence, reason, coalesce(length(box), 0) as bytes from aside order by id',
} as const
