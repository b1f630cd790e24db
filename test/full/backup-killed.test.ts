import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { schemasOf } from '#app'
import { exportAll, importAll } from '#backup'
import { openApp } from '#harness/app'
import { key } from '#harness/backups'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { createPuppet } from '#harness/faults'
import { type MillraceProcess, runMillrace } from '#harness/millrace'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import type { Database } from '#kernel/database'
import type { Schema } from '#kernel/migrate'
import { openDatabase } from '#kernel/postgres-database'
import { isFilled, tablesOf } from '../../src/backup/tables-sql.ts'

// The commands as an operator runs them, killed in the middle: what there was is there, and nothing that looks whole is half.

function operator(t: TestContext) {
  const directory = temporaryDirectory()
  t.after(async () => t.after(() => directory.remove()))
  const backups = join(directory.path, 'backups')
  const launch = (dataDir: string, ...args: string[]): MillraceProcess => {
    const settings = {
      MILLRACE_DATA_DIR: dataDir,
      MILLRACE_BACKUP_DIR: backups,
      MILLRACE_PORT: '0',
      MILLRACE_LOG_LEVEL: 'error',
    }
    return runMillrace(t, { cwd: directory.path, args, settings })
  }
  return {
    directory: directory.path,
    backups,
    launch,
    async run(dataDir: string, ...args: string[]) {
      const run = launch(dataDir, ...args)
      return { code: await run.ended, out: run.out(), err: run.err() }
    },
    async start(dataDir: string) {
      const platform = launch(dataDir, 'start')
      const isOver = (): boolean => platform.child.exitCode !== null
      await until('the platform is ready', () => platform.out().includes('Ctrl-C stops it.') || isOver(), 60_000)
      assert.equal(platform.child.exitCode, null, platform.err())
      return { ...platform, url: /ready: (\S+)/.exec(platform.out())?.[1] ?? '' }
    },
  }
}

async function pay(dataDir: string, url: string, idempotencyKey: string): Promise<unknown> {
  const apiKey = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': idempotencyKey,
    prefer: 'wait=10',
  }
  const body = JSON.stringify({
    amount: 1999,
    currency: 'EUR',
    merchant: 'mer_main',
    customer: 'ada@example.com',
    payment_method: 'pm_sim_approve',
  })
  const answer = await fetch(`${url}/v1/payments`, { method: 'POST', headers, body })
  return Reflect.get(JSON.parse(await answer.text()), 'id')
}

test('a backup and a restore that are killed leave nothing half, and the next ones are whole', async (t) => {
  const operating = operator(t)
  const { directory, backups } = operating
  const from = directory
  const platform = await operating.start(from)
  const first = await pay(from, platform.url, 'first')

  const slow = operating.launch(from, 'backup', '--rate', '1')
  const isUnderWay = (): boolean => sizeBelow(backups, '.partial') > 0
  await until('the copy is under way', isUnderWay)
  slow.child.kill('SIGKILL')
  await slow.ended
  const { out: none } = await operating.run(from, 'backup', 'list')
  assert.equal(none.trim().split('\n').length, 1, none)
  const taken = await operating.run(from, 'backup')
  assert.match(taken.out, /^\d{8}T\d{9}Z: \d+\.\d MB in .*backups, as of 20/, taken.err)
  assert.deepEqual(
    readdirSync(backups).filter((name) => name.endsWith('.partial')),
    [],
  )
  const verified = await operating.run(from, 'backup', 'verify')
  assert.match(verified.out, /^\d{8}T\d{9}Z: all is well, .*\nWAL of \d+: all is well, \d+ segments\.\n$/)

  const second = await pay(from, platform.url, 'second')
  await erase(from, platform.url)
  platform.child.kill('SIGINT')
  assert.equal(await platform.ended, 0)

  const to = join(directory, 'elsewhere')
  mkdirSync(to, { mode: 0o711 })
  const keyless = await operating.run(to, 'restore')
  assert.deepEqual([keyless.code, existsSync(join(to, 'master.key'))], [2, false])
  assert.match(
    keyless.err,
    /^There is no master key in .*elsewhere\/master\.key: put it back from where it is kept apart/,
  )
  copyFileSync(join(from, 'master.key'), join(to, 'master.key'))
  const restoring = join(to, 'postgres.restoring')
  for (const sign of [join(restoring, 'PG_VERSION'), join(restoring, 'postmaster.pid')]) {
    const broken = operating.launch(to, 'restore')
    await until('the restore is under way', () => existsSync(sign) || broken.child.exitCode !== null)
    broken.child.kill('SIGKILL')
    await broken.ended
    assert.equal(existsSync(join(to, 'postgres')), false)
  }
  const restored = await operating.run(to, 'restore')
  assert.equal(restored.code, 0, restored.err)
  assert.match(restored.out, /^Restored \w+ into .*elsewhere\/postgres, with all that was committed until 20/)
  assert.deepEqual(readdirSync(to).sort(), ['master.key', 'postgres', 'postgres.lock', 'postgres.secret'])

  const next = await operating.start(to)
  assert.deepEqual(
    [await pay(to, next.url, 'first'), await pay(to, next.url, 'second')],
    [first, second],
    'accepted before the end, and known after it',
  )
  next.child.kill('SIGINT')
  assert.equal(await next.ended, 0)
  assert.match((await operating.run(to, 'verify')).out, /^All is well/)
})

async function erase(dataDir: string, url: string): Promise<void> {
  const apiKey = readFileSync(join(dataDir, 'api-key'), 'utf8').trim()
  const path = '/v1/customers/ada%40example.com/personal-data'
  const answer = await fetch(`${url}${path}`, { method: 'DELETE', headers: { authorization: `Bearer ${apiKey}` } })
  assert.equal(answer.status, 200)
  // Before it was answered it was written down, beside the data and beside the backups.
  for (const directory of [dataDir, join(dataDir, 'backups')])
    assert.match(readFileSync(join(directory, 'erasures.jsonl'), 'utf8'), /"subject":"person:cus_/)
}

/** Bytes in the files of directories with such an ending. */
function sizeBelow(directory: string, ending: string): number {
  if (!existsSync(directory)) return 0
  const found = readdirSync(directory).filter((name) => name.endsWith(ending))
  const files = found.flatMap((name) => readdirSync(join(directory, name)).map((file) => join(directory, name, file)))
  return files.reduce((sum, file) => sum + statSync(file).size, 0)
}

test('an import that loses its database at any statement leaves it as empty as it was, or complete', async (t) => {
  const app = await openApp(t)
  await app.app.seal.checkMasterKey()
  await app.start()
  for (const name of ['one', 'two', 'three']) await app.webhook(chargeSucceeded(name))
  await app.settle()
  await app.stop()
  const parent = temporaryDirectory()
  t.after(() => parent.remove())
  const directory = join(parent.path, 'export')
  const schemas = schemasOf(app.app.modules)
  const exported = await exportAll({ database: app.databases.read, schemas, directory })

  const { url } = await createDatabase(t)
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'test' })
  t.after(() => database.close())
  let brokenOff = 0
  for (let at = 3; ; at += 11) {
    const doomed = createPuppet({ url, name: `import ${at}` })
    doomed.arm({ at, kind: 'cut' })
    const attempt = importAll({ database: doomed.database, directory, schemas, masterKeyAnswer: key })
    await attempt.catch(() => {})
    await doomed.close()
    if (await hasAny(database, schemas)) break
    brokenOff++
  }
  assert.ok(brokenOff > 5, `only ${brokenOff} were broken off`)
  const again = await exportAll({ database, schemas, directory: join(parent.path, 'again') })
  const rows = (of: typeof exported) => of.tables.map(({ table, rows: n }) => [table, n])
  assert.deepEqual(rows(again), rows(exported))
})

function hasAny(database: Database, schemas: readonly Schema[]): Promise<boolean> {
  const names = schemas.map(({ name }) => name)
  return database.transaction({}, async (tx) => {
    for (const table of await tablesOf(tx, names)) if (await isFilled(tx, table)) return true
    return false
  })
}
