/** A planted bug: patches to files that are shipped. Each `find` is there exactly once. */
export type Mutant = {
  readonly name: string
  /** What must find it: the model, or the checker of histories and the kind of anomaly. */
  readonly foundBy: 'model' | 'lost update' | 'write skew' | 'stale read'
  readonly patches: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
}

const book = 'src/ledger/migrations/002-book.sql'
const decide = 'src/ledger/decide.ts'

const withoutGuardLocks = {
  file: book,
  find: 'and g.account = any (v_accounts)\n  order by g.account, g.currency for update;',
  replace: 'and g.account = any (v_accounts);',
}

export const mutants: readonly Mutant[] = [
  { name: 'guards are read without their locks', foundBy: 'lost update', patches: [withoutGuardLocks] },
  {
    name: 'guards are read before they are locked',
    foundBy: 'lost update',
    patches: [
      {
        file: book,
        find: '  perform 1 from ledger.guard g\n  where g.tenant = p_tenant',
        replace: `  select json_agg(json_build_array(g.account, g.currency, g.posted::text, g.held_debit::text, g.held_credit::text))
  into v_guards
  from ledger.guard g where g.tenant = p_tenant and g.mode = p_mode and g.account = any (v_accounts);
  perform 1 from ledger.guard g\n  where g.tenant = p_tenant`,
      },
      // The second reading goes where it is written over.
      { file: book, find: 'into v_guards, v_found', replace: 'into v_booked, v_found' },
    ],
  },
  {
    name: 'guards that are written are compared, those that are only read are not',
    foundBy: 'write skew',
    patches: [
      withoutGuardLocks,
      {
        file: book,
        find: "  return json_build_object(\n    'now_ms'",
        replace: `  perform set_config('planted.read', coalesce(v_guards::text, '[]'), true);
  return json_build_object(\n    'now_ms'`,
      },
      {
        file: book,
        find: 'and t.account = g.account and t.currency = g.currency;\n  end if;',
        replace: `and t.account = g.account and t.currency = g.currency
      and exists (
        select from json_array_elements(current_setting('planted.read')::json) r
        where r ->> 0 = t.account and r ->> 1 = t.currency and (r ->> 2)::numeric = t.posted
      );
    get diagnostics v_written = row_count;
    if v_written <> json_array_length(p_guards) then
      raise exception 'somebody else was first' using errcode = 'serialization_failure';
    end if;\n  end if;`,
      },
    ],
  },
  {
    name: 'what an account has available is told from a snapshot that may be old',
    foundBy: 'stale read',
    patches: [
      {
        file: 'src/ledger/account-sql.ts',
        find: '  return database.query<GuardRow>(GUARDS, [tenant, mode, accounts])',
        replace: `  const name = accounts.join()
  const kept = planted.get(name)
  if (kept && kept.uses++ < 2) return kept.rows
  const rows = database.query<GuardRow>(GUARDS, [tenant, mode, accounts])
  planted.set(name, { rows, uses: 0 })
  return rows`,
      },
      {
        file: 'src/ledger/account-sql.ts',
        find: 'const GUARDS = statement(',
        replace:
          'const planted = new Map<string, { rows: Promise<GuardRow[]>; uses: number }>()\nconst GUARDS = statement(',
      },
    ],
  },
  {
    name: 'what is held is not counted',
    foundBy: 'model',
    patches: [
      {
        file: 'src/ledger/account.ts',
        find: "balanceOf(account, guard) - (account.normalSide === 'debit' ? guard.heldCredit : guard.heldDebit)",
        replace: 'balanceOf(account, guard)',
      },
    ],
  },
  {
    name: 'a hold that is over by time goes on to count',
    foundBy: 'model',
    patches: [
      {
        file: decide,
        find: '  change(book, legsOf(hold.transfer, hold.transfer.amount), withoutHeld)\n  book.setHold({ ...hold, state: isExpiry',
        replace:
          '  if (!isExpiry) change(book, legsOf(hold.transfer, hold.transfer.amount), withoutHeld)\n  book.setHold({ ...hold, state: isExpiry',
      },
    ],
  },
  {
    name: 'holds and entries that come meanwhile are taken without their accounts',
    foundBy: 'model',
    patches: [
      { file: book, find: 'if v_found <> v_held then', replace: 'if false then' },
      { file: book, find: 'if v_found <> v_there then', replace: 'if false then' },
    ],
  },
  {
    name: 'linked entries are booked up to the one that is refused',
    foundBy: 'model',
    patches: [{ file: decide, find: '  if (at === -1) {', replace: '  if (at !== 0) {' }],
  },
  {
    name: 'a closed period takes reversals',
    foundBy: 'model',
    patches: [
      {
        file: decide,
        find: '  checkPeriod(book, effectiveAt)\n  const postings = reversed',
        replace: '  const postings = reversed',
      },
    ],
  },
  {
    name: 'an account that becomes guarded misses what its balance has not read',
    foundBy: 'model',
    patches: [
      {
        file: 'src/ledger/account-sql.ts',
        find: "where u.type = 'ledger.entry_posted' and",
        replace: "where u.type = 'ledger.unheard_of' and",
      },
    ],
  },
  {
    name: 'a balance at an instant leaves that instant out',
    foundBy: 'model',
    patches: [
      {
        file: 'src/ledger/statement-sql.ts',
        find: '     where l.effective_at <= at.effective and',
        replace: '     where l.effective_at < at.effective and',
      },
    ],
  },
]
