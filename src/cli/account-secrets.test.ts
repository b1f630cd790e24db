import assert from 'node:assert/strict'
import { test } from 'node:test'
import { masterKey, openApp } from '#harness/app'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { masterKeyOf } from '#kernel/master-key'
import { type AccountSettings, openSecrets, secretStore } from './account-secrets.ts'

const given: AccountSettings = {
  name: 'shop',
  gateway: 'stripe',
  tenant: 'main',
  mode: 'test',
  merchant: 'mer_1',
  webhookSecrets: ['whsec_given'],
}
const named = {
  ...given,
  webhookSecrets: [{ secret: 'OLD' }, 'whsec_given', { secret: 'NEW' }],
  apiKey: { secret: 'KEY' },
}

const unreachable = () => Promise.reject(new Error('no secret is named, so that nobody is asked'))
const away: Database = { query: unreachable, transaction: unreachable, listen: unreachable, close: unreachable }

test('accounts whose secrets are given ask no database', async () => {
  const open = await openSecrets([given], away, masterKey)
  assert.deepEqual(open({ ...given, apiKey: 'sk_given' }), { ...given, apiKey: 'sk_given' })
  assert.deepEqual(open(given), given)
})

test('names are replaced by what is set under them, in their places, and the rest of the account stays', async (t) => {
  const { databases } = await openApp(t)
  const store = await secretStore(databases.work, masterKey)
  for (const name of ['OLD', 'NEW', 'KEY']) await store.set(name, `of ${name}`)
  const account = { ...named, isCalled: true }
  const open = await openSecrets([given, account], databases.work, masterKey)
  assert.deepEqual(open(account), {
    ...account,
    webhookSecrets: ['of OLD', 'whsec_given', 'of NEW'],
    apiKey: 'of KEY',
  })
})

test('the first name that is not set is refused, with the setting that asks for it', async (t) => {
  const { databases } = await openApp(t)
  const store = await secretStore(databases.work, masterKey)
  const refused = async (setting: string, name: string): Promise<void> => {
    const open = await openSecrets([named], databases.work, masterKey)
    const message = `gateways.shop.${setting} names the secret ${name}, which is not set: run \`millrace secret set ${name}\`.`
    assert.throws(() => open(named), refusal(message))
  }
  await refused('webhookSecrets', 'OLD')
  await store.set('OLD', 'of old')
  await store.set('NEW', 'of new')
  await refused('apiKey', 'KEY')
})

test('another master key than the one of the database opens nothing and says so', async (t) => {
  const { databases } = await openApp(t)
  await secretStore(databases.work, masterKey)
  const another = masterKeyOf(Buffer.alloc(32, 8))
  await assert.rejects(
    openSecrets([named], databases.work, another),
    refusal('The master key is not the one this database was made with; restore its backup.'),
  )
})

function refusal(message: string) {
  return (error: unknown): boolean => error instanceof UsageError && error.message === message
}
