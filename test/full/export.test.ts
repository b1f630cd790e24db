import assert from 'node:assert/strict'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { schemasOf } from '#app'
import { exportAll, importAll } from '#backup'
import { type AppUnderTest, createAppDatabase, openApp } from '#harness/app'
import { key } from '#harness/backups'
import { createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { openGateway } from '#harness/gateway'
import { postedPayments, startLoad } from '#harness/load'
import { until } from '#harness/until'
import { statement } from '#kernel/database'
import { migrate } from '#kernel/migrate'
import { openDatabase } from '#kernel/postgres-database'
import { verifyLedger } from '#ledger'

// Everything out as JSON Lines, and into a database that has nothing: the way across major versions.

const progress = { seen: 0 }

async function played(t: TestContext): Promise<AppUnderTest> {
  const gateway = await openGateway(t)
  const app = await openApp(t, { accounts: [gateway.account] })
  gateway.reportTo(app)
  await app.app.seal.checkMasterKey()
  await app.start()
  const texts = ['plain', 'zwei\nZeilen', 'tab\tand \\ and "quotes"', '\u{1f4b6} \u2028 é']
  for (const [place, description] of texts.entries())
    await app.pay({
      key: `key-${place}`,
      merchant: gateway.account.merchant,
      description,
      metadata: { order: `${place}` },
    })
  await app.settle()
  await app.app.eraseCustomer('main', 'nobody')
  await app.stop()
  return app
}

function directoryFor(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(async () => t.after(() => directory.remove()))
  return directory.path
}

async function emptyDatabase(t: TestContext) {
  const { url } = await createDatabase(t)
  const database = openDatabase({ url, connectionsMax: 4, applicationName: 'test' })
  t.after(() => database.close())
  return { url, database }
}

const into = (app: AppUnderTest) => ({ schemas: schemasOf(app.app.modules), masterKeyAnswer: key })

test('what is imported is equal to what was exported, row by row, and works', async (t) => {
  const app = await played(t)
  const parent = directoryFor(t)
  const schemas = schemasOf(app.app.modules)
  const directory = join(parent, 'export')
  const exported = await exportAll({
    database: app.databases.read,
    schemas,
    directory,
    progress: () => progress.seen++,
  })
  assert.ok(progress.seen > 0)
  const { url, database } = await emptyDatabase(t)
  const imported = await importAll({ database, directory, ...into(app) })
  assert.equal(imported.tables, exported.tables.length)

  const again = await exportAll({ database, schemas, directory: join(parent, 'again') })
  // Leases and epochs are those of another life.
  const isOfItsLife = (name: string): boolean => ['lease', 'checkpoint'].includes(name)
  const sums = (of: typeof exported) =>
    of.tables.map(({ schema, table, rows, content }) => [schema, table, rows, isOfItsLife(table) ? '' : content])
  assert.deepEqual(sums(again), sums(exported))
  assert.deepEqual(again.sequences, exported.sequences)
  assert.ok(exported.tables.every(({ columns }) => columns.length > 0))
  const positions = 'select grp, topic, partition, next_offset from log.checkpoint order by 1, 2, 3'

  const other = await openApp(t, { url })
  assert.deepEqual(await other.rows(positions), await app.rows(positions))
  assert.deepEqual((await verifyLedger(other.databases.read)).findings, [])
  await other.start()
  const load = startLoad(other, { clients: 2 })
  await until('it takes payments', () => load.acknowledged.size > 20)
  await load.stop()
  await other.settle()
  assert.deepEqual(
    [...(await postedPayments(other))].filter(([, n]) => n !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(other.databases.read)).findings, [])
})

test('an export made while payments go on is of one instant', async (t) => {
  const { url } = await createAppDatabase(t)
  const app = await openApp(t, { url })
  await app.app.seal.checkMasterKey()
  await app.start()
  const load = startLoad(app, { clients: 8 })
  await until('payments are acknowledged', () => load.acknowledged.size > 100)
  const before = new Set(load.acknowledged)
  const directory = join(directoryFor(t), 'export')
  await exportAll({ database: app.databases.read, schemas: schemasOf(app.app.modules), directory })
  await load.stop()
  await app.stop()

  const target = await emptyDatabase(t)
  await importAll({ database: target.database, directory, ...into(app) })
  const other = await openApp(t, { url: target.url })
  await other.start()
  await other.settle()
  const posted = await postedPayments(other)
  assert.deepEqual(
    [...before].filter((name) => !posted.has(name)),
    [],
  )
  assert.deepEqual(
    [...posted].filter(([, n]) => n !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(other.databases.read)).findings, [])
})

test('an export of an earlier version is brought up to date, and one of a newer version is refused', async (t) => {
  const app = await played(t)
  const schemas = schemasOf(app.app.modules)
  const parent = directoryFor(t)
  const old = await emptyDatabase(t)
  // As the first release had them.
  await migrate(
    old.database,
    schemas,
    (schema, file) => file.startsWith('001') || (schema === 'log' && file.startsWith('002')),
  )
  const topic = statement('test.topic', `insert into log.topic (topic, partitions) values ('kept', 8)`)
  await old.database.query(topic)
  const earlier = join(parent, 'earlier')
  await exportAll({ database: old.database, schemas, directory: earlier })
  const target = await emptyDatabase(t)
  await importAll({ database: target.database, directory: earlier, ...into(app) })
  const files = statement('test.files', 'select schema, file from millrace.migration order by 1, 2')
  assert.deepEqual(await target.database.query(files), await app.databases.read.query(files))
  const kept = statement('test.kept', 'select topic from log.topic')
  assert.deepEqual(await target.database.query(kept), [{ topic: 'kept' }])

  const newer = join(parent, 'newer')
  await exportAll({ database: app.databases.read, schemas, directory: newer })
  const known = schemas.filter(({ name }) => name !== 'webhooks')
  const refused =
    /The export has webhooks\/001-webhooks.sql, which this version of Millrace does not know: use a newer one/
  const empty = await emptyDatabase(t)
  const late = { database: empty.database, directory: newer, masterKeyAnswer: key, schemas: known }
  await assert.rejects(importAll(late), refused)
})

test('a changed byte, another master key and a database that is not empty are refused, and nothing is imported', async (t) => {
  const app = await played(t)
  const directory = join(directoryFor(t), 'export')
  const schemas = schemasOf(app.app.modules)
  await exportAll({ database: app.databases.read, schemas, directory })
  const { database } = await emptyDatabase(t)
  const attempt = (answer = key) => importAll({ database, directory, schemas, masterKeyAnswer: answer })
  const isUntouched = statement('test.untouched', `select to_regclass('log.record') is null as untouched`)

  const entries = join(directory, 'ledger.entry.jsonl.zst')
  const whole = await readFile(entries)
  await flip(entries, Math.floor(whole.length / 2))
  await assert.rejects(attempt(), /Nothing was imported: ledger\.entry\.jsonl\.zst is damaged/)
  await writeFile(entries, whole)
  const manifest = await readFile(join(directory, 'manifest.json'), 'utf8')
  await writeFile(join(directory, 'manifest.json'), manifest.replace('"rows": ', '"rows": 1'))
  await assert.rejects(attempt(), /manifest\.json is damaged: nothing was imported/)
  await writeFile(join(directory, 'manifest.json'), manifest)
  await assert.rejects(attempt('another'), /The master key is not the one that was in use where this was exported/)
  assert.deepEqual(await database.query(isUntouched), [{ untouched: true }])

  await assert.rejects(
    importAll({ database: app.databases.work, directory, schemas, masterKeyAnswer: key }),
    /This database holds Millrace already: import into one that is empty/,
  )
  await attempt()
  await assert.rejects(attempt(), /This database holds Millrace already/)
  await mkdir(join(directory, 'again'))
  const taken = { database, schemas, directory: join(directory, 'again') }
  await assert.rejects(exportAll(taken), /again is there already: name a directory to be made/)
})

async function flip(path: string, place: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, place)
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, place)
  } finally {
    await file.close()
  }
}
