import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { systemClock } from '#kernel/clock'
import { systemRandom } from '#kernel/random'
import { createSecretStore, type SecretStore } from './index.ts'

async function openStore(t: TestContext): Promise<{ store: SecretStore; under: AppUnderTest }> {
  const under = await openApp(t)
  const database = under.databases.work
  const store = createSecretStore({ database, seal: under.app.seal, random: systemRandom, clock: systemClock })
  return { store, under }
}

const entriesOf = async (opening: Promise<ReadonlyMap<string, string>>) => [...(await opening)].sort()

test('a secret that was set opens under its name, and what was not set is not there', async (t) => {
  const { store } = await openStore(t)
  await store.set('STRIPE_KEY', 'sk_one')
  await store.set('stripe-hook_2', 'whsec_zwei ünïcode')
  assert.deepEqual(await entriesOf(store.open(['STRIPE_KEY', 'stripe-hook_2', 'OTHER'])), [
    ['STRIPE_KEY', 'sk_one'],
    ['stripe-hook_2', 'whsec_zwei ünïcode'],
  ])
  const listed = await store.list()
  assert.deepEqual(
    listed.map(({ name }) => name),
    ['STRIPE_KEY', 'stripe-hook_2'],
  )
  assert.ok(listed.every(({ setAt }) => Math.abs(setAt.getTime() - systemClock.now()) < 60_000))
})

test('a replaced and a removed value cannot be read again, not even from a copy of the row', async (t) => {
  const { store, under } = await openStore(t)
  const sealed = async () =>
    (await under.rows<{ sealed: string }>('select sealed from secrets.secret'))[0]?.sealed ?? ''
  const opens = async (text: string) => (await under.app.seal.open([text], 'secrets.secret.sealed/installation/K'))[0]
  await store.set('K', 'first')
  const first = await sealed()
  assert.equal((await opens(first))?.toString(), 'first')

  await store.set('K', 'second')
  assert.equal(await opens(first), undefined)
  assert.deepEqual(await entriesOf(store.open(['K'])), [['K', 'second']])

  const second = await sealed()
  assert.equal(await store.remove('K'), true)
  assert.equal(await opens(second), undefined)
  assert.deepEqual(await entriesOf(store.open(['K'])), [])
  assert.equal(await store.remove('K'), false)

  await store.set('K', 'third')
  assert.deepEqual(await entriesOf(store.open(['K'])), [['K', 'third']])
})

test('a value moved to another name does not open', async (t) => {
  const { store, under } = await openStore(t)
  await store.set('A', 'of a')
  await under.rows("update secrets.secret set name = 'B'")
  await assert.rejects(store.open(['B']))
})

test('of values set at the same moment one stays, whole, and the keys of the others are destroyed', async (t) => {
  const { store, under } = await openStore(t)
  await Promise.all(['a', 'b', 'c', 'd'].map((value) => store.set('K', value)))
  const [entry] = await entriesOf(store.open(['K']))
  assert.match(entry?.[1] ?? '', /^[abcd]$/)
  const [keys] = await under.rows<{ live: number; all: number }>(
    `select count(salt)::int as live, count(*)::int as all from vault.data_key where tenant = 'installation'`,
  )
  assert.deepEqual(keys, { live: 1, all: 4 })
})

test('no name outside the shape of names gets into the table', async (t) => {
  const { store } = await openStore(t)
  await assert.rejects(store.set("x'; drop table secrets.secret", 'value'), { code: '23514' })
})
