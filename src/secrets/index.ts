import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { Random } from '#kernel/random'
import { type Seal, storeKeys } from '#kernel/seal'
import type { Module } from '#log'
import * as sql from './sql.ts'

export const secrets: Module = {
  name: 'secrets',
  summary: 'Secrets of the installation, sealed: API keys and signing secrets of its gateways.',
  events: [],
  migrations: new URL('./migrations/', import.meta.url),
}

export type SecretStore = {
  /** Seals the value and keeps it under the name; one that was there before can never be read again. */
  set(name: string, value: string): Promise<void>
  /** The values of those names that are set. */
  open(names: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Every name that is set, and since when it has its value. */
  list(): Promise<{ readonly name: string; readonly setAt: Date }[]>
  /** Makes the value unreadable for good; whether there was one. */
  remove(name: string): Promise<boolean>
}

export type SecretStoreOptions = {
  readonly database: Database
  readonly seal: Seal
  readonly random: Random
  readonly clock: Clock
}

/** No tenant's: they belong to who runs the installation. */
const OWNER = 'installation'

export function createSecretStore({ database, seal, random, clock }: SecretStoreOptions): SecretStore {
  return {
    async set(name, value) {
      const id = `sec_${random.bytes(8).toString('hex')}`
      const key = seal.dataKey({ tenant: OWNER, subject: subjectOf(id) })
      const row = { name, id, sealed: seal.seal(key, value, contextOf(name)), setAt: new Date(clock.now()) }
      const replaced = await database.transaction({}, async (tx) => {
        await storeKeys(tx, [key])
        return sql.replace(tx, row)
      })
      if (replaced !== undefined) await forget(replaced)
    },
    async open(names) {
      const values = new Map<string, string>()
      for (const { name, sealed } of await sql.byName(database, names)) {
        const [value] = await seal.open([sealed], contextOf(name))
        if (value) values.set(name, value.toString('utf8'))
      }
      return values
    },
    async list() {
      return (await sql.all(database)).map(({ name, set_at }) => ({ name, setAt: set_at }))
    },
    async remove(name) {
      const removed = await sql.remove(database, name)
      if (removed !== undefined) await forget(removed)
      return removed !== undefined
    },
  }

  /** After its row: were the key destroyed first, dying in between would leave a name without a value. */
  async function forget(id: string): Promise<void> {
    await seal.erase(OWNER, subjectOf(id))
  }
}

function subjectOf(id: string): string {
  return `secret:${id}`
}

/** A sealed value that is moved to another name does not open there. */
function contextOf(name: string): string {
  return `secrets.secret.sealed/${OWNER}/${name}`
}
