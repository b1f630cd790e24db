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
import { createSeal, isSealed, type Seal } from './seal.ts'

const master = masterKeyOf(Buffer.alloc(32, 1))
const anna = { tenant: 'ten_1', subject: 'person:anna' }
const berta = { tenant: 'ten_1', subject: 'person:berta' }
const context = 'payment.requested/description\nten_1'

test('what was sealed opens to the same bytes, also in another process', async (t) => {
  const { seal, another } = await openVault(t)
  const key = await keyOf(seal, anna)
  const texts = ['', 'Ä 😀 \u0000', 'x'.repeat(100_000)]
  const sealed = texts.map((text) => seal.seal(key, text, context))
  for (const process of [seal, another()]) {
    assert.deepEqual((await process.open(sealed, context)).map(String), texts)
  }
})

test('a sealed text has its shape, does not show the text, and is never twice the same', async (t) => {
  const { seal } = await openVault(t)
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
  const { seal } = await openVault(t)
  const [key, other] = await seal.dataKey([anna, berta])
  assert.ok(key && other)
  const sealed = seal.seal(key, 'secret', context)
  const flipped = `${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`
  const swapped = `s1.${other.id}.${sealed.slice(30)}`
  await assert.rejects(seal.open([flipped], context), InvariantViolation)
  await assert.rejects(seal.open([swapped], context), InvariantViolation)
  await assert.rejects(seal.open([sealed], `${context}2`), InvariantViolation)
  await assert.rejects(seal.open(['anna'], context), InvariantViolation)
})

test('a key that was never in the vault is a bug, not an erasure', async (t) => {
  const { seal } = await openVault(t)
  const sealed = seal.seal(await keyOf(seal, anna), 'secret', context)
  await assert.rejects(seal.open([`s1.${'0'.repeat(26)}${sealed.slice(29)}`], context), InvariantViolation)
})

test('a subject keeps its key, over processes; two subjects or tenants never share one', async (t) => {
  const { seal, another } = await openVault(t)
  const stranger = { ...anna, tenant: 'ten_2' }
  const keys = await seal.dataKey([anna, berta, stranger, anna])
  const again = await another().dataKey([anna, berta, stranger, anna])
  assert.deepEqual(
    again.map(({ id }) => id),
    keys.map(({ id }) => id),
  )
  assert.equal(new Set(keys.map(({ id }) => id)).size, 3)
  assert.equal(keys[0]?.id, keys[3]?.id)
})

test('a key is committed before anybody gets it', async (t) => {
  const { seal, rows } = await openVault(t)
  const key = await keyOf(seal, anna)
  assert.deepEqual(
    (await rows()).map((row) => row.key_id),
    [key.id],
  )
})

test('callers of one moment share one statement and one key', async (t) => {
  const { seal, statements } = await openVault(t)
  const subjects = Array.from({ length: 50 }, (_, index) => ({ tenant: 'ten_1', subject: `payment:${index % 25}` }))
  const keys = await Promise.all(subjects.map((subject) => keyOf(seal, subject)))
  assert.equal(new Set(keys.map(({ id }) => id)).size, 25)
  assert.equal(statements(), 1)
  await seal.dataKey(subjects)
  assert.equal(statements(), 1)
})

test('processes that make the same keys at once end with the same keys', async (t) => {
  const { another } = await openVault(t)
  const subjects = Array.from({ length: 200 }, (_, index) => ({ tenant: 'ten_1', subject: `payment:${index}` }))
  const processes = [subjects, subjects.toReversed(), subjects, subjects.toReversed()]
  const found = await Promise.all(
    processes.map(async (wanted) => new Set((await another().dataKey(wanted)).map(({ id }) => id))),
  )
  for (const ids of found) assert.deepEqual(ids.symmetricDifference(found[0] ?? new Set()), new Set())
})

test('a failed statement reaches everybody who waited, and the next request tries again', async (t) => {
  const vault = await openVault(t)
  vault.failNext()
  const results = await Promise.allSettled([vault.seal.dataKey([anna]), vault.seal.dataKey([anna, berta])])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal((await vault.seal.dataKey([anna, berta])).length, 2)
})

test('nothing of an erased subject opens, and nothing of others is lost', async (t) => {
  const { seal } = await openVault(t)
  const [hers, other] = await seal.dataKey([anna, berta])
  assert.ok(hers && other)
  const sealed = [seal.seal(hers, 'a', context), seal.seal(other, 'b', context), seal.seal(hers, 'c', context)]
  assert.deepEqual((await seal.open(sealed, context)).map(String), ['a', 'b', 'c'])
  assert.equal(await seal.erase(anna.tenant, anna.subject), 1)
  assert.deepEqual((await seal.open(sealed, context)).map(String), ['undefined', 'b', 'undefined'])
})

test('another process sees an erasure when its cache has aged, and no later', async (t) => {
  const { seal, another, pass } = await openVault(t)
  const other = another()
  const sealed = [seal.seal(await keyOf(seal, anna), 'a', context)]
  assert.deepEqual((await other.open(sealed, context)).map(String), ['a'])
  await seal.erase(anna.tenant, anna.subject)
  pass(dataKeyLimits.ageMaxMs)
  assert.deepEqual(await other.open(sealed, context), [undefined])
})

test('erasing is registered once, counts the keys, and leaves no key material', async (t) => {
  const { seal, rows, register } = await openVault(t)
  await seal.dataKey([anna])
  assert.equal(await seal.erase(anna.tenant, anna.subject), 1)
  assert.equal(await seal.erase(anna.tenant, anna.subject), 0)
  assert.deepEqual(
    (await rows()).map((row) => row.wrapped),
    [null],
  )
  assert.deepEqual(await register(), [anna])
})

test('what still arrives of an erased subject can be sealed and is unreadable for everybody', async (t) => {
  const { seal, another, rows } = await openVault(t)
  // Erased before anything of hers was ever seen, as when a restore applies the register again.
  await seal.erase(berta.tenant, berta.subject)
  await seal.dataKey([anna])
  await seal.erase(anna.tenant, anna.subject)
  const late = another()
  for (const process of [seal, late]) {
    for (const subject of [anna, berta]) {
      const sealed = process.seal(await keyOf(process, subject), 'late', context)
      assert.deepEqual(await process.open([sealed], context), [undefined])
      assert.deepEqual(await another().open([sealed], context), [undefined])
    }
  }
  assert.ok((await rows()).every((row) => row.wrapped === null))
})

test('a key made while its subject is being erased does not survive the erasure', async (t) => {
  // Many rounds of the race between making a key in one process and erasing in another.
  const { seal, another, rows } = await openVault(t)
  const other = another()
  for (let round = 0; round < 30; round += 1) {
    const subject = { tenant: 'ten_1', subject: `payment:${round}` }
    const [key] = await Promise.all([keyOf(seal, subject), other.erase(subject.tenant, subject.subject)])
    const sealed = seal.seal(key, 'x', context)
    assert.deepEqual(await another().open([sealed], context), [undefined])
  }
  assert.ok((await rows()).every((row) => row.wrapped === null))
})

test('an erasure that fails destroys nothing', async (t) => {
  const vault = await openVault(t)
  const sealed = [vault.seal.seal(await keyOf(vault.seal, anna), 'a', context)]
  vault.failNext()
  await assert.rejects(vault.seal.erase(anna.tenant, anna.subject))
  assert.deepEqual((await vault.seal.open(sealed, context)).map(String), ['a'])
  assert.deepEqual(await vault.register(), [])
})

test('a person’s own words are never taken for a subject', async (t) => {
  const { seal } = await openVault(t)
  for (const subject of ['anna@example.com', 'person:anna@example.com', 'person:', 'person:a b', '']) {
    await assert.rejects(seal.dataKey([{ tenant: 'ten_1', subject }]), InvariantViolation)
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
  return {
    seal: another(),
    another,
    statements: () => count,
    failNext: () => {
      failures = 1
    },
    pass: (ms: number) => {
      passedMs += ms
    },
    rows: () => real.query<{ key_id: string; wrapped: Buffer | null }>(allKeys),
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

const allKeys: Statement = { name: 'test.keys', text: 'select key_id, wrapped from vault.data_key' }
const allErasures: Statement = { name: 'test.erasures', text: 'select tenant, subject from vault.erasure' }

async function keyOf(seal: Seal, subject: { tenant: string; subject: string }) {
  const [key] = await seal.dataKey([subject])
  assert.ok(key)
  return key
}

async function fill(url: string): Promise<void> {
  const database = openDatabase({ url, connectionsMax: 1, applicationName: 'seal.test' })
  await migrate(database, [{ name: 'vault', migrations: new URL('migrations/', import.meta.url) }])
  await database.close()
}
