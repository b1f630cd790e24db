import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { after, before, type TestContext } from 'node:test'
import { Client } from 'pg'
import { temporaryDirectory } from '#harness/directory'
import { until } from '#harness/until'
import { type EmbeddedPostgres, type PostgresOptions, StartFailure, startPostgres } from './start.ts'

// Real servers, real kills. fsync is off only to spare the disk: nothing here cuts the power.
const settings = { fsync: 'off' }

const template = temporaryDirectory()
const templateCluster = join(template.path, 'data')
before(async () => (await startPostgres({ dataDir: templateCluster, settings })).stop())
after(() => template.remove())

/** A data directory with a cluster made before, as initdb takes most of a second; owners are kept by `cp -a`. */
function clusterIn(parent: string, name = 'data'): string {
  const dataDir = join(parent, name)
  for (const suffix of ['', '.secret']) execFileSync('cp', ['-a', templateCluster + suffix, dataDir + suffix])
  return dataDir
}

function newDirectory(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return directory.path
}

async function started(t: TestContext, options: PostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ settings, ...options })
  t.after(() => server.stop('immediate'))
  return server
}

async function query(url: string, text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text, values)).rows
  } finally {
    await client.end()
  }
}

/** Linux. */
function hasConnection(port: number): boolean {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 01`
  return readFileSync('/proc/net/tcp', 'utf8').includes(remote)
}

const failsWith = (line: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StartFailure, String(error))
  assert.match(error.message, line)
  assert.doesNotMatch(error.message, /\n/)
  return true
}

test('a first start makes a cluster that answers, with its password outside it and closed to others', async (t) => {
  const dataDir = join(newDirectory(t), 'data')
  const server = await started(t, { dataDir })
  assert.equal(server.adopted, false)
  assert.notEqual(server.runAs, 'root')
  assert.deepEqual(await query(server.url, `select current_setting('wal_level') as level`), [{ level: 'logical' }])
  assert.equal(statSync(`${dataDir}.secret`).mode & 0o777, 0o600)
})

test('the password is needed, and no socket or other address leads around it', async (t) => {
  const server = await started(t, { dataDir: clusterIn(newDirectory(t)) })
  await assert.rejects(query(server.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'), /password authentication failed/)
  const rows = await query(
    server.url,
    `select current_setting('listen_addresses') as address, current_setting('unix_socket_directories') as sockets,
       current_setting('data_checksums') as checksums`,
  )
  assert.deepEqual(rows, [{ address: '127.0.0.1', sockets: '', checksums: 'on' }])
})

test('a stopped server starts again with its data', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const first = await started(t, { dataDir })
  await query(first.url, 'create table kept as select 1 as one')
  await first.stop()
  const second = await started(t, { dataDir })
  assert.equal(second.adopted, false)
  assert.deepEqual(await query(second.url, 'select one from kept'), [{ one: 1 }])
})

test('the server of a process that was killed is adopted', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const left = await startAndDie(dataDir)
  const server = await started(t, { dataDir })
  assert.equal(server.adopted, true)
  assert.equal(server.pid, left.pid)
  assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
})

test('an adopted server that was started with other settings is replaced', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const left = await startAndDie(dataDir)
  const server = await started(t, { dataDir, settings: { fsync: 'off', work_mem: '5MB' } })
  assert.equal(server.adopted, false)
  assert.notEqual(server.pid, left.pid)
  assert.deepEqual(await query(server.url, 'show work_mem'), [{ work_mem: '5MB' }])
})

test('a directory that another running process serves is refused, and its server left alone', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const other = await startElsewhere(t, dataDir)
  await assert.rejects(startPostgres({ dataDir, settings }), failsWith(/in use by another running Millrace/))
  assert.doesNotThrow(() => process.kill(other.pid, 0))
})

test('after kill -9 of the postmaster the next start recovers what was committed', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const first = await started(t, { dataDir })
  await query(first.url, 'create table kept as select generate_series(1, 1000) as n')
  process.kill(first.pid, 'SIGKILL')
  const second = await started(t, { dataDir })
  assert.equal(second.adopted, false)
  assert.deepEqual(await query(second.url, 'select count(*)::int as n from kept'), [{ n: 1000 }])
})

test('a server that is dying is not adopted', { skip: process.platform !== 'linux' }, async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  const dying = await started(t, { dataDir })
  process.kill(dying.pid, 'SIGSTOP')
  const starting = started(t, { dataDir })
  await until('it is asked, and cannot answer', () => hasConnection(dying.port), 5_000)
  process.kill(dying.pid, 'SIGKILL')
  const next = await starting
  assert.equal(next.adopted, false)
  assert.deepEqual(await query(next.url, 'select 1 as one'), [{ one: 1 }])
})

test('two data directories have two servers, and stopping one leaves the other', async (t) => {
  const parent = newDirectory(t)
  const one = await started(t, { dataDir: clusterIn(parent, 'one') })
  const other = await started(t, { dataDir: clusterIn(parent, 'other') })
  assert.notEqual(one.port, other.port)
  await one.stop()
  assert.deepEqual(await query(other.url, 'select 1 as one'), [{ one: 1 }])
})

test('a stale pid file that names the server of another directory harms neither', async (t) => {
  const parent = newDirectory(t)
  const other = await started(t, { dataDir: clusterIn(parent, 'other') })
  const dataDir = clusterIn(parent)
  const first = await started(t, { dataDir })
  const pidFile = join(first.dataDir, 'postmaster.pid')
  const [, ...rest] = readFileSync(pidFile, 'utf8').split('\n')
  process.kill(first.pid, 'SIGKILL')
  writeFileSync(pidFile, [String(other.pid), ...rest].join('\n'))

  const second = await started(t, { dataDir })
  assert.equal(second.adopted, false)
  assert.deepEqual(await query(second.url, 'select 1 as one'), [{ one: 1 }])
  await second.stop()
  assert.deepEqual(await query(other.url, 'select 1 as one'), [{ one: 1 }])
})

test('a directory reached by a symbolic link is the same directory', async (t) => {
  const parent = newDirectory(t)
  mkdirSync(join(parent, 'real'), { mode: 0o711 })
  symlinkSync(join(parent, 'real'), join(parent, 'link'))
  const first = await started(t, { dataDir: join(parent, 'real', 'data') })
  const second = await started(t, { dataDir: join(parent, 'link', 'data') })
  assert.equal(second.adopted, true)
  assert.equal(second.pid, first.pid)
})

test('a taken port is one line', async (t) => {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  t.after(() => listener.close())
  const address = listener.address()
  assert.ok(address && typeof address === 'object')
  const options = { dataDir: clusterIn(newDirectory(t)), port: address.port, settings }
  await assert.rejects(startPostgres(options), failsWith(new RegExp(`Port ${address.port} .* is taken`)))
})

test('a directory that cannot be written is one line, for root as for others', async (t) => {
  const parent = newDirectory(t)
  writeFileSync(join(parent, 'file'), '')
  await assert.rejects(startPostgres({ dataDir: join(parent, 'file', 'data') }), failsWith(/cannot be written/))
  if (process.getuid?.() === 0) return
  chmodSync(parent, 0o511)
  await assert.rejects(startPostgres({ dataDir: join(parent, 'data') }), failsWith(/cannot be written/))
})

test('a cluster of another major version is one line', async (t) => {
  const dataDir = clusterIn(newDirectory(t))
  await (await started(t, { dataDir })).stop()
  writeFileSync(join(dataDir, 'PG_VERSION'), '17\n')
  await assert.rejects(startPostgres({ dataDir }), failsWith(/was made by PostgreSQL 17 and this is 18/))
})

test('a directory with other things in it is refused and left as it was', async (t) => {
  const dataDir = join(newDirectory(t), 'data')
  mkdirSync(dataDir)
  writeFileSync(join(dataDir, 'letter'), 'dear')
  await assert.rejects(startPostgres({ dataDir }), failsWith(/holds something else than a database/))
  assert.equal(readFileSync(join(dataDir, 'letter'), 'utf8'), 'dear')
})

test('an initdb broken off half-way is done again', async (t) => {
  const dataDir = join(newDirectory(t), 'data')
  mkdirSync(`${dataDir}.new`)
  writeFileSync(join(`${dataDir}.new`, 'PG_VERSION'), '18\n')
  const server = await started(t, { dataDir })
  assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
})

test('the server writes neither statements nor values into its log, and still says what it does', async (t) => {
  let log = ''
  const onLog = (text: string): void => {
    log += text
  }
  const server = await started(t, { dataDir: clusterIn(newDirectory(t)), onLog })
  await query(server.url, 'create table people (name text primary key check (length(name) < 30))')
  await query(server.url, `insert into people values ('canary-a')`)
  const wrong: [string, unknown[]][] = [
    [`insert into people values ('canary-a')`, []],
    ['insert into people values ($1)', ['canary-b, whose name is too long for the check']],
    ['select $1::int', ['canary-c']],
    [`select 'canary-d'::bigint`, []],
    [`do $$ begin raise warning 'canary-e'; raise exception 'canary-f'; end $$`, []],
  ]
  for (const [text, values] of wrong) await assert.rejects(query(server.url, text, values))
  await server.stop()
  // What it wrote last may still be in the pipe when its process is gone.
  await until('the last line is read', () => log.includes('database system is shut down'))
  assert.doesNotMatch(log, /canary/)
})

/** Another process starts the server on this directory and is killed as soon as it runs. */
async function startAndDie(dataDir: string): Promise<{ pid: number }> {
  const { child, pid } = await spawnStarter(dataDir)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  return { pid }
}

/** Another process starts the server on this directory and keeps it until the test ends. */
async function startElsewhere(t: TestContext, dataDir: string): Promise<{ pid: number }> {
  const { child, pid } = await spawnStarter(dataDir)
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.stdin.end()
    await ended
  })
  return { pid }
}

async function spawnStarter(dataDir: string) {
  const source = `
    import { startPostgres } from '#kernel/postgres/start'
    const server = await startPostgres({ dataDir: process.argv[1], settings: { fsync: 'off' } })
    console.log(server.pid)
    process.stdin.resume().once('end', () => server.stop('immediate'))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, dataDir], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const line = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve))
  return { child, pid: Number(line) }
}
