import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createAppDatabase, openApp, rowsOf } from '#harness/app'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { examine, type Told } from './doctor.ts'
import type { Level } from './doctor-check.ts'
import { isPooled } from './doctor-server.ts'
import { noteVerification } from './doctor-sql.ts'

// Every check is met with the thing broken for real: on a database, in a directory, at a port. All breakages of a kind
// are made at once, because they do not depend on each other and the doctor tells them one by one.

type Place = { directory: string; env: Record<string, string> }

/** A directory with the harness's master key, on a database. */
function installation(t: TestContext, url?: string, env: Record<string, string> = {}): Place {
  const temporary = temporaryDirectory()
  t.after(() => temporary.remove())
  const directory = join(temporary.path, 'data')
  mkdirSync(directory)
  writeFileSync(join(directory, 'master.key'), `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 })
  const database: Record<string, string> = url === undefined ? {} : { DATABASE_URL: url }
  return { directory, env: { MILLRACE_DATA_DIR: directory, MILLRACE_PORT: '1', ...database, ...env } }
}

function assertTold(told: readonly Told[], expected: readonly (readonly [string, Level, RegExp])[]): void {
  for (const [check, level, line] of expected) {
    const found = told.filter((one) => one.check === check)
    const says = found.map((one) => `${one.level} ${one.says} → ${one.todo}`)
    assert.ok(
      found.some((one) => one.level === level && line.test(one.says)),
      `${check} should tell a ${level} like ${line}: ${says.join('; ') || 'it tells nothing'}`,
    )
  }
}

test('an installation that is well has nothing to say but how it is kept', async (t) => {
  const app = await openApp(t)
  await app.start()
  const { directory, env } = installation(t, app.url)
  const told = await examine({ cwd: directory, env })
  // The servers of tests do without fsync, and nobody listens at the port.
  const known = new Set(['durability', 'process', 'verify', 'disk'])
  assert.deepEqual(
    told.filter(({ check, level }) => level !== 'ok' && !known.has(check)),
    [],
  )
  assertTold(told, [
    ['durability', 'problem', /^fsync is off: what was acknowledged can be lost$/],
    ['process', 'warning', /^nobody answers at http:\/\/127\.0\.0\.1:1\/readyz$/],
    ['verify', 'warning', /^the books have never been checked$/],
    ['master key and database', 'ok', /is the one/],
    ['processes', 'ok', /^1 process on this database$/],
  ])
  await noteVerification(app.databases.work, { entries: 3n, findings: 0 })
  assertTold(await examine({ cwd: directory, env }), [['verify', 'ok', /^3 entries checked 0 s ago$/]])
})

const ancient = `log.now() - interval '2 hours'`

/** What is done to the database, and what the doctor then says. */
const breakages: readonly (readonly [string, string, Level, RegExp])[] = [
  [
    `update millrace.migration set checksum = 'x' where schema = 'ledger' and file = '001-ledger.sql'`,
    'migrations',
    'problem',
    /^ledger\/001-ledger\.sql was changed after it was applied/,
  ],
  [
    `delete from millrace.migration where schema = 'webhooks' and file = '001-webhooks.sql'`,
    'migrations',
    'warning',
    /^not applied yet: webhooks\/001-webhooks\.sql$/,
  ],
  [
    `insert into millrace.migration (schema, file, checksum) values ('log', '999-later.sql', 'x')`,
    'migrations',
    'warning',
    /^a newer version has been here: log\/999-later\.sql$/,
  ],
  [
    'revoke update on ledger.entry from millrace_ledger',
    'roles',
    'problem',
    /^millrace_ledger lacks rights on 1 table of ledger$/,
  ],
  [
    'revoke usage on schema log from millrace_gateways',
    'roles',
    'problem',
    /^millrace_gateways may not use the schema log/,
  ],
  [
    `insert into log.parked_key (grp, key, partition, parked_at) values ('payments.decide', 'pay_1', 0, ${ancient})`,
    'parked',
    'problem',
    /^payments\.decide: 1 key parked, for up to 2 h$/,
  ],
  [
    `update log.parked_key set retry_requested_at = ${ancient}`,
    'parked',
    'problem',
    /^payments\.decide: a retry was asked for 2 h ago, and nobody does it$/,
  ],
  [`update log.record set time = ${ancient}`, 'lag', 'problem', /^payments\.decide is 1 event and 2 h behind$/],
  [
    `update log.record set event = jsonb_set(event::jsonb, '{version}', '99')::text`,
    'newer events',
    'problem',
    /^payments\.decide\/\d waits before payment\.requested of version 99/,
  ],
  [
    `insert into log.member (process, grp, expires_at) values ('one', 'log.timers', log.now() + interval '1 hour')`,
    'leases',
    'warning',
    /^log\.timers: nobody works on 8 partitions, though processes live$/,
  ],
  [
    `insert into log.timer (id, generation, partition, due_at, event) values ('t', 1, 0, ${ancient}, '{}')`,
    'timers',
    'problem',
    /^1 timer should have fired, the first 2 h ago$/,
  ],
  [
    `insert into delivery.delivery (id, destination, key, payload, tenant, mode, traceparent, correlation_id, cause_id,
       attempts, first_attempt_at, created_at)
     select 'd' || n, 'gateway:shop', 'k' || n, '{}', 'main', 'test', '', '', '', n, ${ancient}, ${ancient}
     from generate_series(4, 6) n`,
    'processes',
    'ok',
    /1 process/,
  ],
  [
    `insert into delivery.head (destination, key, delivery_id, ready_at) values
       ('gateway:shop', 'k4', 'd4', 'infinity'), ('gateway:shop', 'k5', 'd5', log.now() + interval '1 hour'),
       ('gateway:shop', 'k6', 'd6', ${ancient})`,
    'deliveries',
    'problem',
    /^gateway:shop: calls for 1 key are held for a person$/,
  ],
  ['select 1', 'deliveries', 'warning', /^gateway:shop: calls for 2 keys fail, since 2 h$/],
  ['select 1', 'deliveries', 'problem', /^gateway:shop: calls for 1 key wait, and nobody makes them$/],
  [
    `insert into webhooks.endpoint (id, tenant, mode, version, patterns, box, status, reason, failing_since, disabled_at,
       created_at, updated_at)
     values ('we_1', 'main', 'test', 'v', '{}', 'box', 'disabled', 'failing', ${ancient}, ${ancient}, ${ancient}, ${ancient}),
       ('we_2', 'main', 'test', 'v', '{}', 'box', 'enabled', null, ${ancient}, null, ${ancient}, ${ancient}),
       ('we_3', 'main', 'test', 'v', '{}', 'box', 'disabled', 'by_hand', null, ${ancient}, ${ancient}, ${ancient})`,
    'webhook endpoints',
    'warning',
    /^we_1 was disabled \(failing\) 2 h ago$/,
  ],
  ['select 1', 'webhook endpoints', 'warning', /^we_2 has been failing for 2 h$/],
  [
    `insert into gateways.held (tenant, mode, account, event_id, event, held_at)
     values ('main', 'test', 'shop', 'e', '{}', ${ancient})`,
    'gateway events',
    'problem',
    /^1 event of gateways wait for their payment for over an hour$/,
  ],
  [
    `insert into log.verification (verified_at, entries, findings) values (log.now() - interval '9 days', 7, 2)`,
    'verify',
    'problem',
    /^2 findings in 7 entries checked 9 days ago$/,
  ],
  [
    `insert into log.segment (topic, partition, first_offset, end_offset, first_position, first_time, last_time, file, bytes,
       checksum, archived_at)
     values ('payments', 0, 0, 5, 1, ${ancient}, ${ancient}, 'gone.zst', 1, 'x', ${ancient})`,
    'archive',
    'problem',
    /^1 file of 1 are missing$/,
  ],
]

test('what is broken in the database is told, each with what to do', async (t) => {
  const app = await openApp(t)
  const archive = temporaryDirectory()
  t.after(() => archive.remove())
  await app.pay({ key: 'one' })
  const run = (text: string) => rowsOf(app.databases.work, text)
  for (const [text] of breakages) await run(text)
  await run(`alter database ${await nameOf(app.databases.read)} connection limit 20`)
  await run(`alter database ${await nameOf(app.databases.read)} set synchronous_commit = off`)
  await run(`insert into vault.master_key (answer) values ('of another key') on conflict do nothing`)
  await run(`update vault.master_key set answer = 'of another key'`)

  const { directory, env } = installation(t, app.url, { MILLRACE_ARCHIVE_DIR: archive.path })
  const told = await examine({ cwd: directory, env, now: () => systemClock.now() - 5_000 })
  assertTold(
    told,
    breakages.map(([, check, level, line]) => [check, level, line]),
  )
  assertTold(told, [
    ['connections', 'problem', /^1 process may want \d+ connections, and -?\d+ are there$/],
    ['durability', 'problem', /^synchronous_commit is off/],
    ['master key and database', 'problem', /^the key is not the one that this database was made with$/],
    ['clock', 'warning', /are 5\.\d s apart$/],
  ])
  assert.deepEqual(
    told.filter(({ says }) => says.includes('we_3')),
    [],
    'what its owner disabled is as it should be',
  )
  for (const { level, check, todo } of told) assert.ok(level === 'ok' || todo, `${check} says what to do`)
})

async function nameOf(database: Database): Promise<string> {
  const [row] = await rowsOf<{ name: string }>(database, 'select current_database() as name')
  return row?.name ?? ''
}

test('what is broken on the machine is told though no database answers', async (t) => {
  const { directory, env } = installation(t, 'postgres://nobody:secret@127.0.0.1:1/none')
  const backups = temporaryDirectory()
  t.after(() => backups.remove())
  mkdirSync(join(directory, 'spool'))
  writeFileSync(join(directory, 'spool', 'old.spool'), 'not a file of the spool')
  chmodSync(join(directory, 'master.key'), 0o644)
  chmodSync(directory, 0o777)
  const port = await answering(t, 503, JSON.stringify({ reasons: ['group payments.decide has halted'] }))
  const told = await examine({
    cwd: directory,
    env: { ...env, MILLRACE_PORT: String(port), MILLRACE_BACKUP_DIR: backups.path },
    nodeVersion: '24.9.0',
  })
  assertTold(told, [
    ['node', 'problem', /^Node 24\.9\.0 is too old$/],
    ['data directory', 'problem', /^others may write in .*, where the master key is$/],
    ['master key', 'problem', /^The master key .* can be read by others; run: chmod 600/],
    ['process', 'problem', /^not ready: group payments\.decide has halted$/],
    ['spool', 'problem', /^something in old was set aside$/],
    ['backup', 'problem', /^there is no backup in /],
    ['database', 'problem', /^The database cannot be reached \(ECONNREFUSED\)/],
  ])
  assert.ok(!JSON.stringify(told).includes('secret'))
})

test('a wrong configuration, no data, an empty database and a stranger at the port are told', async (t) => {
  const { directory, env } = installation(t)
  const alone = (more: Record<string, string>) => examine({ cwd: directory, env: { ...env, ...more } })
  const memory = '/dev/shm'
  const port = await answering(t, 404, 'not found')
  assertTold(await alone({ MILLRACE_PROT: '1' }), [['configuration', 'problem', /Did you mean MILLRACE_PORT\?$/]])
  assertTold(await alone({ MILLRACE_PORT: String(port) }), [
    ['process', 'warning', /answers 404, and is no Millrace$/],
    ['database', 'problem', /^There is no data in .* yet: run `millrace start` first/],
  ])
  assertTold(await alone({ DATABASE_URL: (await createDatabase(t)).url }), [
    ['postgresql', 'ok', /^PostgreSQL \d+/],
    ['database', 'problem', /^this database holds no Millrace yet$/],
  ])
  assertTold(await alone({ MILLRACE_DATA_DIR: join(directory, 'nowhere') }), [
    ['data directory', 'warning', /is not there yet$/],
    ['master key', 'warning', /^there is none yet$/],
  ])
  assert.ok(!existsSync(join(directory, 'nowhere')), 'it only looks')
  if (!existsSync(memory)) return
  assertTold(await alone({ MILLRACE_DATA_DIR: memory }), [
    ['disk', 'problem', /^\/dev\/shm lies in memory \(tmpfs\), which forgets$/],
    ['master key', 'problem', /^there is no \/dev\/shm\/master\.key$/],
  ])
})

test('the tables of an earlier version are no reason to fall silent', async (t) => {
  const app = await openApp(t)
  const { directory, env } = installation(t, app.url)
  await rowsOf(app.databases.work, 'drop table log.verification')
  await rowsOf(app.databases.work, `delete from millrace.migration where file = '004-redrive.sql'`)
  assertTold(await examine({ cwd: directory, env }), [
    ['migrations', 'warning', /^not applied yet: log\/004-redrive\.sql$/],
    ['verify', 'warning', /tables that are not there yet$/],
    ['parked', 'ok', /^nothing is parked$/],
  ])
})

test('sessions that wander between servers are noticed, sessions of our own are not', async (t) => {
  const { url } = await createAppDatabase(t)
  const servers = [1, 2].map((n) => openDatabase({ url, connectionsMax: 1, applicationName: `server ${n}` }))
  t.after(async () => void (await Promise.all(servers.map((server) => server.close()))))
  const [one, two] = servers
  assert.ok(one && two)
  assert.equal(await isPooled(one, two), false)
  for (const order of ['last returned first', 'in turn'] as const) {
    const pooler = pool([one, two], order)
    assert.equal(await isPooled(pooler, pooler), true, order)
  }
})

/** What a transaction pooler is to its clients: a server for each transaction, whichever is free. */
function pool(servers: readonly Database[], order: 'last returned first' | 'in turn'): Database {
  const free = [...servers]
  const lend = async <T>(work: (server: Database) => Promise<T>): Promise<T> => {
    const server = order === 'in turn' ? free.shift() : free.pop()
    assert.ok(server, 'never more at once than there are servers')
    return work(server).finally(() => free.push(server))
  }
  return {
    ...(servers[0] as Database),
    transaction: (options, work) => lend((server) => server.transaction(options, work)),
    query: (statement, values) => lend((server) => server.query(statement, values)) as never,
  }
}

async function answering(t: TestContext, status: number, body: string): Promise<number> {
  const server = createServer((_, response) => response.writeHead(status).end(body))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.after(() => void server.close())
  return (server.address() as AddressInfo).port
}
