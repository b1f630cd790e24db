import { join } from 'node:path'
import { schemasOf } from '#app'
import type { GatewayAccount } from '#gateways'
import { isAway } from '#kernel/away'
import { systemClock } from '#kernel/clock'
import type { Config, SecretSetting } from '#kernel/config'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { loadMasterKey, type MasterKey } from '#kernel/master-key'
import { migrate } from '#kernel/migrate'
import { systemRandom } from '#kernel/random'
import { createSeal } from '#kernel/seal'
import { createSecretStore, type SecretStore, secrets } from '#secrets'
import type { SecretSnapshot } from './door-snapshot.ts'

type Secrets = Pick<GatewayAccount, 'webhookSecrets' | 'apiKey'>

/** A gateway account as configured: its secrets are given, or named. */
export type AccountSettings = Omit<GatewayAccount, keyof Secrets> & {
  readonly webhookSecrets: readonly SecretSetting[]
  readonly apiKey?: SecretSetting
}

/** The account with its secrets in the place of their names. */
export type Opened<Account extends AccountSettings> = Omit<Account, keyof Secrets> & Secrets

/**
 * Opens what accounts name, all at once. The returned function puts it in the place of the names; it throws a
 * UsageError with the first that is not set, and the setting that asks for it.
 */
export async function openSecrets(
  accounts: readonly AccountSettings[],
  database: Database,
  masterKey: MasterKey,
  snapshot?: SecretSnapshot,
): Promise<<Account extends AccountSettings>(account: Account) => Opened<Account>> {
  const names = [...new Set(accounts.flatMap(namesIn))]
  const values =
    names.length === 0 ? new Map<string, string>() : await valuesOf(names, { database, masterKey, snapshot })
  return (account) => withSecrets(account, (name) => values.get(name))
}

type Where = { database: Database; masterKey: MasterKey; snapshot: SecretSnapshot | undefined }

/** As the database has them; with it away, as they were when it was asked last. */
async function valuesOf(names: readonly string[], { database, masterKey, snapshot }: Where) {
  try {
    const values = await (await secretStore(database, masterKey)).open(names)
    snapshot?.keep(values)
    return values
  } catch (error) {
    const kept = isAway(error) ? await snapshot?.read() : undefined
    if (!kept) throw error
    return kept
  }
}

/** The installation's secrets, with the tables that they need. @throws UsageError for another database's master key. */
export async function secretStore(database: Database, masterKey: MasterKey): Promise<SecretStore> {
  await migrate(database, schemasOf([secrets]))
  const seal = createSeal({ masterKey, database, random: systemRandom, clock: systemClock })
  await seal.checkMasterKey()
  return createSecretStore({ database, seal, random: systemRandom, clock: systemClock })
}

export function masterKeyIn({ dataDir }: Pick<Config, 'dataDir'>): Promise<MasterKey> {
  return loadMasterKey(join(dataDir, 'master.key'), systemRandom)
}

/** The account with every name replaced by what `find` gives for it. */
export function withSecrets<Account extends AccountSettings>(
  { webhookSecrets, apiKey, ...account }: Account,
  find: (name: string) => string | undefined,
): Opened<Account> {
  const open = (secret: SecretSetting, setting: string): string => {
    if (typeof secret === 'string') return secret
    const value = find(secret.secret)
    if (value !== undefined) return value
    throw new UsageError(
      `gateways.${account.name}.${setting} names the secret ${secret.secret}, which is not set: run \`millrace secret set ${secret.secret}\`.`,
    )
  }
  return {
    ...account,
    webhookSecrets: webhookSecrets.map((secret) => open(secret, 'webhookSecrets')),
    ...(apiKey === undefined ? {} : { apiKey: open(apiKey, 'apiKey') }),
  }
}

function namesIn({ webhookSecrets, apiKey }: AccountSettings): string[] {
  const all = apiKey === undefined ? webhookSecrets : [...webhookSecrets, apiKey]
  return all.flatMap((secret) => (typeof secret === 'string' ? [] : [secret.secret]))
}
