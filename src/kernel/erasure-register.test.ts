import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { createDatabase } from '#harness/database'
import { systemClock } from './clock.ts'
import { applyErasures, createErasureRegister, erasuresIn, readErasures, textOfErasures } from './erasure-register.ts'
import { masterKeyOf } from './master-key.ts'
import { migrate } from './migrate.ts'
import { openDatabase } from './postgres-database.ts'
import { systemRandom } from './random.ts'
import { createSeal, storeKeys } from './seal.ts'

async function registerFor(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-register-'))
  t.after(() => rm(directory, { recursive: true }))
  return join(directory, 'made', 'erasures.jsonl')
}

const jane = { tenant: 'main', subject: 'person:jane', at: 1_760_000_000_000 }
const joan = { tenant: 'main', subject: 'person:joan', at: 1_760_000_000_001 }

test('what was recorded is read back, in every file, and no file is an empty register', async (t) => {
  const [one, other] = [await registerFor(t), await registerFor(t)]
  assert.deepEqual(await readErasures(one), [])
  const register = createErasureRegister([one, other])
  await register.record(jane)
  await register.record(joan)
  for (const path of [one, other]) assert.deepEqual(await readErasures(path), [jane, joan])
})

test('wherever a process died in writing a line, the lines before and after it count', async (t) => {
  const path = await registerFor(t)
  const register = createErasureRegister([path])
  const line = textOfErasures([joan])
  await register.record(jane)
  const before = await readFile(path, 'utf8')
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: line.length - 2 }), async (written) => {
      await writeFile(path, before)
      await appendFile(path, line.slice(0, written))
      assert.deepEqual(await readErasures(path), [jane])
      await register.record(joan)
      assert.deepEqual(await readErasures(path), [jane, joan])
    }),
    { numRuns: 30 },
  )
})

test('a line that names somebody else than it did is refused by its number', async (t) => {
  const path = await registerFor(t)
  const register = createErasureRegister([path])
  for (const erasure of [jane, joan]) await register.record(erasure)
  const text = await readFile(path, 'utf8')
  for (const changed of [
    text.replace('joan', 'joam'),
    text.replace('"main","subject":"person:joan', '"mein","subject":"person:joan'),
  ]) {
    await writeFile(path, changed)
    await assert.rejects(
      readErasures(path),
      /^UsageError: Line 2 of .*erasures\.jsonl is damaged: put the register back/,
    )
  }
})

test('a database that does not know of an erasure makes it again, and one that cannot be written down is not made', async (t) => {
  const { url } = await createDatabase(t)
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'test' })
  t.after(() => database.close())
  await migrate(database, [{ name: 'vault', migrations: new URL('./migrations/', import.meta.url) }])
  const path = await registerFor(t)
  const about = { masterKey: masterKeyOf(Buffer.alloc(32, 1)), database, random: systemRandom, clock: systemClock }
  const writing = createSeal({ ...about, erasures: createErasureRegister([path]) })
  const key = writing.dataKey(jane)
  await database.transaction({}, (tx) => storeKeys(tx, [key]))
  const sealed = writing.seal(key, 'secret', 'context')

  const full = createSeal({ ...about, erasures: { record: () => Promise.reject(new Error('the disk is full')) } })
  await assert.rejects(full.erase(jane.tenant, jane.subject), /the disk is full/)
  assert.deepEqual((await createSeal(about).open([sealed], 'context')).map(String), ['secret'])

  // Written down by one life of the database, and applied in another.
  await createErasureRegister([path]).record(jane)
  assert.equal(await applyErasures(database, await readErasures(path)), 1)
  assert.equal(await applyErasures(database, await readErasures(path)), 0)
  assert.deepEqual(await createSeal(about).open([sealed], 'context'), [undefined])
  assert.deepEqual(await erasuresIn(database), [jane])
})
