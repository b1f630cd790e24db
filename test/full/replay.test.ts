import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createAppDatabase, rowsOf } from '#harness/app'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { fillLedgerTopic } from '#harness/ledger-history'
import { until } from '#harness/until'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'

// `millrace replay` as an operator runs it, on a log of 20,000 entries whose balances are all missing.

const program = join(import.meta.dirname, '../../src/cli/main.ts')
const EVENTS = 20_000

test('interrupted in any way, a replay leaves the live projection as it was, and nothing behind', async (t) => {
  const { database, start } = await openLedger(t)
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    const { child, ended } = start('ledger.balances', '--swap')
    await until('it folds', async () => (await copies(database)).length > 0)
    child.kill(signal)
    const { code, err } = await ended
    if (signal === 'SIGINT') {
      assert.deepEqual([code, err], [130, 'Stopped. Nothing was changed.\n'])
    }
    await until('its tables are gone', async () => (await copies(database)).length === 0)
    assert.deepEqual(await rowsOf(database, 'select from ledger.balance'), [])
    assert.deepEqual(await rowsOf(database, `select from log.record where topic = 'log'`), [])
  }
})

test('differing rows are told, a swap puts them right, and after it there are none', async (t) => {
  const { database, run } = await openLedger(t)
  const wrong = await run('ledger.balances')
  assert.equal(wrong.code, 1)
  const [first = '', live, rebuilt = ''] = wrong.out.split('\n')
  assert.match(first, /^wrong: ledger\.balance \{.*"account": "gateway:acme:receivable".*\}$/)
  assert.equal(live, '  live     no such row')
  assert.match(rebuilt, /^ {2}rebuilt {2}\{.*"entries": \d+.*\}$/)
  const [{ rows } = { rows: 0 }] = await rowsOf<{ rows: number }>(
    database,
    `select count(*)::int as rows from (
       select distinct p ->> 'account', e.partition from log.event e, json_array_elements(e.data -> 'postings') p) s`,
  )
  assert.match(
    wrong.out,
    new RegExp(`^${rows} rows differ: ${rows} rows, rebuilt from ${EVENTS} events at \\d+ a second\\.\\n$`, 'm'),
  )

  const swapped = await run('ledger.balances', '--swap')
  assert.deepEqual([swapped.code, swapped.err], [0, ''])
  assert.match(
    swapped.out,
    new RegExp(`^ledger\\.balance: ${rows} rows written, 0 removed\\nSwapped, after ${EVENTS} events`),
  )
  assert.deepEqual(await wrongBalances(database), [])
  const same = await run('ledger.balances', '--compare')
  assert.equal(same.code, 0)
  assert.match(same.out, new RegExp(`^All the same: ${rows} rows`))
})

test('a second database gets the rows and the offsets, begins anew the next time, and has to be empty', async (t) => {
  const { database, url, run } = await openLedger(t)
  const second = await createDatabase(t)
  assert.match((await run('ledger.balances', '--swap')).out, /Swapped/)
  for (const args of [[], ['--compare']]) {
    const { code, out, err } = await run('ledger.balances', '--into', second.url, ...args)
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, args.length === 0 ? /^Rebuilt from 20000 events/ : /^All the same: \d+ rows, rebuilt from 20000/)
  }
  const there = open(t, second.url)
  const [rows, offsets] = [
    'select * from ledger.balance order by account, stripe',
    `select topic, partition, next_offset from log.checkpoint where grp = 'ledger.balances' order by partition`,
  ]
  assert.deepEqual(await rowsOf(there, rows), await rowsOf(database, rows))
  assert.deepEqual(await rowsOf(there, offsets), await rowsOf(database, offsets))

  await rowsOf(database, `delete from ledger.balance where account = 'gateway:acme:receivable'`)
  assert.match((await run('ledger.balances', '--into', second.url, '--compare')).out, /^8 rows differ/m)
  const itself = await run('ledger.balances', '--into', url)
  assert.deepEqual(
    [itself.code, itself.err],
    [2, 'The database to rebuild into has a log of its own: give it an empty one.\n'],
  )
  await rowsOf(there, 'delete from log.checkpoint')
  const full = await run('ledger.balances', '--into', second.url)
  assert.deepEqual([full.code, full.err], [2, 'ledger.balance is not empty in the database to rebuild into.\n'])
})

test('what is dropped from the log is read from the archive, and without one that is told', async (t) => {
  const { database, run, runWithArchive, archive, archived } = await openLedger(t)
  await run('ledger.balances', '--swap')
  await rowsOf(database, `update log.record set time = time - interval '9 days'`)
  assert.match((await archive('--all')).out, /dropped from the log: [1-9]/)
  const [{ left } = { left: 0n }] = await rowsOf<{ left: bigint }>(
    database,
    `select count(*) as left from log.record where topic = 'ledger'`,
  )
  assert.equal(left, 0n)
  const same = await runWithArchive('ledger.balances')
  assert.deepEqual([same.code, same.err], [0, ''])
  assert.match(same.out, /^All the same: \d+ rows, rebuilt from 20000 events/)

  const [name = ''] = readdirSync(archived, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.zst'),
  )
  const bytes = readFileSync(join(archived, name))
  bytes[100] = (bytes[100] ?? 0) ^ 1
  writeFileSync(join(archived, name), bytes)
  const damaged = await runWithArchive('ledger.balances')
  assert.deepEqual([damaged.code, damaged.out], [1, ''])
  assert.match(damaged.err, /is not what was written there\. See: millrace archive verify\n$/)

  const { code, err } = await run('ledger.balances')
  assert.equal(code, 2)
  assert.match(
    err,
    /^ledger\/\d at offset 0 is in the archive alone: set MILLRACE_ARCHIVE_DIR to where its segments are\.\n$/,
  )
})

test('a part of the events is for looking, and what does not go together is refused', async (t) => {
  const { run } = await openLedger(t, 2_000)
  const part = await run('ledger.balances', '--filter', 'key=pay_7,mode=test')
  assert.equal(part.code, 0)
  const rows = part.out.trimEnd().split('\n')
  assert.equal(rows.length, 5)
  assert.ok(rows.every((row) => row.startsWith('ledger.balance {')))
  assert.equal((await run('ledger.balances', '--from', '2999-01-01')).out, '')
  const day = ['--from', '2026-01-01']
  for (const [args, line] of [
    [['ledger.balances', ...day, '--swap'], /^--swap takes the whole of a projection, and --from a part of it/],
    [['ledger.balances', '--filter', 'key=a', '--compare'], /^--compare takes the whole .* --filter a part/],
    [['ledger.balances', ...day, '--into', 'postgres://x'], /^--into takes the whole/],
    [['ledger.balances', '--into', 'postgres://x', '--swap'], /^--swap puts rows into the live projection/],
    [['ledger.balances', '--into', 'mysql://x'], /^--into must be an address that begins with postgres:/],
    [['ledger.balances', '--from', '1 May'], /^--from must be a day or a time with its zone/],
    [['ledger.balances', '--filter', 'colour=red'], /^--filter must be FIELD=VALUE, with one of key, type/],
    [['ledger.balance'], /^No projection has the name ledger\.balance\. Did you mean ledger\.balances\?$/m],
    [[], /^PROJECTION is missing/],
  ] as const) {
    const { code, out, err } = await run(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, line)
  }
})

async function openLedger(t: TestContext, events = EVENTS) {
  const { url } = await createAppDatabase(t)
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const database = open(t, url)
  await fillLedgerTopic(database, events)
  const settings = { PATH: process.env.PATH, DATABASE_URL: url }
  const archiving = { MILLRACE_ARCHIVE_DIR: join(directory.path, 'archive'), MILLRACE_RETENTION_DAYS: '1' }
  const start = (command: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const options = { cwd: directory.path, env: { ...settings, ...env } }
    const child = spawn(process.execPath, [program, ...command], options)
    t.after(() => child.kill('SIGKILL'))
    return { child, ended: endOf(child) }
  }
  return {
    url,
    database,
    archived: archiving.MILLRACE_ARCHIVE_DIR,
    start: (...args: string[]) => start(['replay', ...args]),
    run: (...args: string[]) => start(['replay', ...args]).ended,
    runWithArchive: (...args: string[]) => start(['replay', ...args], archiving).ended,
    archive: (...args: string[]) => start(['archive', ...args], archiving).ended,
  }
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  const told = { out: '', err: '' }
  child.stdout?.on('data', (text) => (told.out += text))
  child.stderr?.on('data', (text) => (told.err += text))
  const [code] = await once(child, 'close')
  return { code, ...told }
}

function open(t: TestContext, url: string): Database {
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'test' })
  t.after(() => database.close())
  return database
}

/** The temporary tables of whatever session. */
function copies(database: Database) {
  return rowsOf(database, `select from pg_class where relname = 'ledger.balance' and relpersistence = 't'`)
}

/** Balances that are not the sums of the entries on the log, by SQL alone. */
function wrongBalances(database: Database) {
  return rowsOf(
    database,
    `select account, l.amount, b.amount from (
       select p ->> 'account' as account, sum((p ->> 'amount')::numeric) as amount
       from log.event e, json_array_elements(e.data -> 'postings') p group by 1
     ) l full join (select account, sum(debit - credit) as amount from ledger.balance group by 1) b using (account)
     where l.amount is distinct from b.amount`,
  )
}
