import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createDatabase } from '#harness/database'
import type { Clock } from './clock.ts'
import { dataKeyLimits } from './data-keys.ts'
import type { Database, Statement, Tx } from './database.ts'
import { UsageError } from './errors.ts'
import { InvariantViolation } from './invariant.ts'
import { masterKeyOf } from './master-key.ts'
import { migrate } from './migrate.ts'
import { openDatabase } from './postgres-database.ts'
import { systemRandom } from './random.ts'
import { createSeal, type DataKey, isSealed, isSealedBytes, type Seal, type Subject, storeKeys } from './seal.ts'

const master = masterKeyOf(Buffer.alloc(32, 1))
const anna = { tenant: 'ten_1', subject: 'person:anna' }
const berta = { tenant: 'ten_1', subject: 'person:berta' }
const context = 'payment.requested/description\nten_1'

test('what was sealed opens to the same bytes, also in another process', async (t) => {
  const { seal, another, keyOf } = await openVault(t)
  const key = await keyOf(seal, anna)
  const texts = ['', 'Ä 😀 \u0000', 'x'.repeat(100_000)]
  const sealed = texts.map((text) => seal.seal(key, text, context))
  for (const process of [seal, another()]) {
    assert.deepEqual((await process.open(sealed, context)).map(String), texts)
  }
})

test('a sealed text has its shape, does not show the text, and is never twice the same', async (t) => {
  const { seal, keyOf } = await openVault(t)
  const key = await keyOf(seal, anna)
  const [first, second] = [seal.seal(key, 'anna@example.com', context), seal.seal(key, 'anna@example.com', context)]
  assert.ok(isSealed(first))
  assert.notEqual(first, second)
  assert.ok(!Buffer.from(first.slice(30), 'base64url').includes('anna'))
  for (const text of ['', 's1.', 'anna@example.com', `s2${first.slice(2)}`, `${first}=`, `${first}\n`]) {
    assert.equal(isSealed(text), false, JSON.stringify(text))
  }
})

test('a sealed text that was changed, moved to another context or given another key does not open', async (t) => {
  const { seal, keyOf } = await openVault(t)
  const [key, other] = [await keyOf(seal, anna), await keyOf(seal, berta)]
  const sealed = seal.seal(key, 'secret', context)
  const flipped = `${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`
  const swapped = `s1.${other.id}.${sealed.slice(30)}`
  await assert.rejects(seal.open([flipped], context), InvariantViolation)
  await assert.rejects(seal.open([swapped], context), InvariantViolation)
  await assert.rejects(seal.open([sealed], `${context}2`), InvariantViolation)
  await assert.rejects(seal.open(['anna'], context), InvariantViolation)
})

test('a key that was never in the vault is a bug, not an erasure', async (t) => {
  const { seal, keyOf } = await openVault(t)
  const sealed = seal.seal(await keyOf(seal, anna), 'secret', context)
  await assert.rejects(seal.open([`s1.${'0'.repeat(26)}${sealed.slice(29)}`], context), InvariantViolation)
})

test('bytes are sealed as bytes, and open like a text', async (t) => {
  const { seal, another, keyOf } = await openVault(t)
  const key = await keyOf(seal, anna)
  for (const plain of [Buffer.alloc(0), Buffer.from([0, 255, 10]), Buffer.alloc(100_000, 7)]) {
    const sealed = seal.sealBytes(key, plain, context)
    assert.ok(isSealedBytes(sealed))
    assert.deepEqual(await another().open([sealed], context), [plain])
    const flipped = Buffer.from(sealed)
    flipped[40] = (flipped[40] ?? 0) ^ 1
    await assert.rejects(seal.open([flipped], context), InvariantViolation)
    await assert.rejects(seal.open([sealed], `${context}2`), InvariantViolation)
  }
  for (const bytes of [Buffer.alloc(0), Buffer.from('s1.'), Buffer.from(`s2.${key.id}.xxx`)]) {
    assert.equal(isSealedBytes(bytes), false)
  }
})

test('a subject keeps its key in a process; two subjects or tenants never share one', async (t) => {
  const { seal, another } = await openVault(t)
  const subjects = [anna, berta, { ...anna, tenant: 'ten_2' }]
  const ids = subjects.map((subject) => seal.dataKey(subject).id)
  assert.equal(new Set(ids).size, 3)
  assert.deepEqual(
    subjects.map((subject) => seal.dataKey(subject).id),
    ids,
  )
  assert.notEqual(another().dataKey(anna).id, ids[0])
})

test('a key costs no statement until it is stored, and is stored once however often it is brought', async (t) => {
  const { seal, statements, rows, store } = await openVault(t)
  const keys = [anna, berta, anna].map((subject) => seal.dataKey(subject))
  assert.equal(statements(), 0)
  await Promise.all([store(keys), store(keys.toReversed()), store(keys)])
  assert.deepEqual((await rows()).map((row) => row.key_id).sort(), [...new Set(keys.map(({ id }) => id))].sort())
})

test('nothing of an erased subject opens, and nothing of others is lost', async (t) => {
  const { seal, keyOf } = await openVault(t)
  const [hers, other] = [await keyOf(seal, anna), await keyOf(seal, berta)]
  const sealed = [seal.seal(hers, 'a', context), seal.seal(other, 'b', context), seal.seal(hers, 'c', context)]
  assert.deepEqual((await seal.open(sealed, context)).map(String), ['a', 'b', 'c'])
  assert.equal(await seal.erase(anna.tenant, anna.subject), 1)
  assert.deepEqual((await seal.open(sealed, context)).map(String), ['undefined', 'b', 'undefined'])
})

test('another process sees an erasure when its cache has aged, and no later', async (t) => {
  const { seal, another, pass, keyOf } = await openVault(t)
  const other = another()
  const sealed = [seal.seal(await keyOf(seal, anna), 'a', context)]
  assert.deepEqual((await other.open(sealed, context)).map(String), ['a'])
  await seal.erase(anna.tenant, anna.subject)
  pass(dataKeyLimits.ageMaxMs)
  assert.deepEqual(await other.open(sealed, context), [undefined])
})

test('erasing destroys the keys of all processes, is registered once, and leaves no key material', async (t) => {
  const { seal, another, rows, register, keyOf } = await openVault(t)
  for (const process of [seal, another(), another()]) await keyOf(process, anna)
  assert.equal(await seal.erase(anna.tenant, anna.subject), 3)
  assert.equal(await seal.erase(anna.tenant, anna.subject), 0)
  assert.deepEqual(
    (await rows()).map((row) => row.salt),
    [null, null, null],
  )
  assert.deepEqual(await register(), [anna])
})

test('what still arrives of an erased subject can be sealed and is unreadable for everybody', async (t) => {
  const { seal, another, rows, keyOf } = await openVault(t)
  // Erased before anything of hers was ever seen, as when a restore applies the register again.
  await seal.erase(berta.tenant, berta.subject)
  await keyOf(seal, anna)
  await seal.erase(anna.tenant, anna.subject)
  const late = another()
  for (const process of [seal, late]) {
    for (const subject of [anna, berta]) {
      const sealed = process.seal(await keyOf(process, subject), 'late', context)
      assert.deepEqual(await process.open([sealed], context), [undefined])
      assert.deepEqual(await another().open([sealed], context), [undefined])
    }
  }
  assert.ok((await rows()).every((row) => row.salt === null))
})

test('a key stored while its subject is being erased does not survive the erasure', async (t) => {
  // Many rounds of the race between storing a key in one process and erasing in another.
  const { seal, another, rows, keyOf } = await openVault(t)
  const other = another()
  for (let round = 0; round < 30; round += 1) {
    const subject = { tenant: 'ten_1', subject: `payment:${round}` }
    const [key] = await Promise.all([keyOf(seal, subject), other.erase(subject.tenant, subject.subject)])
    const sealed = seal.seal(key, 'x', context)
    assert.deepEqual(await another().open([sealed], context), [undefined])
  }
  assert.ok((await rows()).every((row) => row.salt === null))
})

test('an erasure waits for keys that are just being stored, however long that takes', async (t) => {
  const { seal, another, real, rows } = await openVault(t)
  const key = seal.dataKey(anna)
  const other = another()
  let erasing: Promise<number> | undefined
  await real.transaction({}, async (tx) => {
    await storeKeys(tx, [key])
    erasing = other.erase(anna.tenant, anna.subject)
    // Longer than one attempt of the erasure, which gives way to others in between.
    for (const since = performance.now(); performance.now() - since < 3 * dataKeyLimits.holdBackMs; ) {
      await real.query(waiting)
    }
  })
  assert.equal(await erasing, 1)
  assert.ok((await rows()).every((row) => row.salt === null))
})

test('an erasure that fails destroys nothing', async (t) => {
  const vault = await openVault(t)
  const sealed = [vault.seal.seal(await vault.keyOf(vault.seal, anna), 'a', context)]
  vault.failNext()
  await assert.rejects(vault.seal.erase(anna.tenant, anna.subject))
  assert.deepEqual((await vault.seal.open(sealed, context)).map(String), ['a'])
  assert.deepEqual(await vault.register(), [])
})

test('a person’s own words are never taken for a subject', async (t) => {
  const { seal } = await openVault(t)
  for (const subject of ['anna@example.com', 'person:anna@example.com', 'person:', 'person:a b', '']) {
    assert.throws(() => seal.dataKey({ tenant: 'ten_1', subject }), InvariantViolation)
    await assert.rejects(seal.erase('ten_1', subject), InvariantViolation)
  }
})

test('a database answers to the master key it began with and to no other', async (t) => {
  const { seal, another } = await openVault(t)
  await seal.checkMasterKey()
  await another().checkMasterKey()
  const stranger = another(masterKeyOf(Buffer.alloc(32, 2)))
  await assert.rejects(stranger.checkMasterKey(), UsageError)
})

async function openVault(t: TestContext) {
  const { url } = await createDatabase(t, { template: fill, templateName: 'vault' })
  const real = openDatabase({ url, connectionsMax: 4, applicationName: 'seal.test' })
  t.after(() => real.close())
  let [count, failures, passedMs] = [0, 0, 0]
  const clock: Clock = { now: () => Date.now(), monotonicMs: () => passedMs, sleep: async () => {} }
  const database = watch(real, () => {
    count += 1
    if (failures > 0) {
      failures -= 1
      throw new Error('connection lost')
    }
  })
  const another = (masterKey = master): Seal => createSeal({ masterKey, database, random: systemRandom, clock })
  const store = (keys: readonly DataKey[]) => real.transaction({}, (tx) => storeKeys(tx, keys))
  return {
    seal: another(),
    another,
    real,
    store,
    /** A key of the subject, stored. */
    keyOf: async (process: Seal, subject: Subject) => {
      const key = process.dataKey(subject)
      await store([key])
      return key
    },
    statements: () => count,
    failNext: () => {
      failures = 1
    },
    pass: (ms: number) => {
      passedMs += ms
    },
    rows: () => real.query<{ key_id: string; salt: Buffer | null }>(allKeys),
    register: () => real.query(allErasures),
  }
}

/** The real database; `before` sees every statement and may fail it. */
function watch(real: Database, before: () => void): Database {
  const watched =
    (tx: Pick<Tx, 'query'>): Tx['query'] =>
    async (statement, values) => {
      before()
      return tx.query(statement, values)
    }
  return {
    ...real,
    query: watched(real),
    transaction: (options, work) => real.transaction(options, (tx) => work({ ...tx, query: watched(tx) })),
  }
}

const allKeys: Statement = { name: 'test.keys', text: 'select key_id, salt from vault.data_key' }
const waiting: Statement = { name: 'test.waiting', text: 'select pg_sleep(0.01)' }
const allErasures: Statement = { name: 'test.erasures', text: 'select tenant, subject from vault.erasure' }

async function fill(url: string): Promise<void> {
  const database = openDatabase({ url, connectionsMax: 1, applicationName: 'seal.test' })
  await migrate(database, [{ name: 'vault', migrations: new URL('migrations/', import.meta.url) }])
  await database.close()
}
