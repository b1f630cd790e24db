import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createApp } from '#app'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import type { Database } from '#kernel/database'
import { createErasureRegister } from '#kernel/erasure-register'
import { UsageError } from '#kernel/errors'
import { systemFetch } from '#kernel/fetch'
import { loadMasterKey } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { registersOf } from './kept-copies.ts'
import { tenantOf } from './keys.ts'

export const erase: Command = {
  name: 'erase',
  summary: 'Make all personal data of a customer unreadable, for good',
  options: {
    tenant: { type: 'string', value: 'TENANT', summary: 'Whose customer' },
    customer: { type: 'string', value: 'CUSTOMER', summary: 'The reference under which the tenant knows the customer' },
  },
  details: [
    'Destroys the keys of what was sealed. Amounts, states and the ledger stay. Safe to repeat; nothing undoes it.',
  ],
  async run(call) {
    const tenant = tenantOf(call)
    const customer = call.text('customer')
    if (customer === undefined) throw new UsageError('--customer is missing: say who is to be forgotten.')
    const destroyed = await withDatabase(call, (database, config) =>
      eraseCustomer(database, config, { tenant, customer }),
    )
    call.print(destroyed === 0 ? 'There was nothing to erase.' : `Erased: ${destroyed} data keys destroyed.`)
    return 0
  },
}

async function eraseCustomer(
  database: Database,
  config: Config,
  of: { tenant: string; customer: string },
): Promise<number> {
  const path = join(config.dataDir, 'master.key')
  // Made here, it would be another than the one that data was sealed under.
  if (!existsSync(path))
    throw new UsageError(`There is no master key in ${path}: set MILLRACE_DATA_DIR to where it is.`)
  const masterKey = await loadMasterKey(path, systemRandom)
  const carrier = systemFetch(systemClock)
  const app = createApp({
    seams: {
      clock: systemClock,
      random: systemRandom,
      fetch: carrier.fetch,
      databases: { door: database, work: database, read: database },
    },
    masterKey,
    accounts: [],
    risk: config.risk,
    process: 'erase',
    erasures: createErasureRegister(registersOf(config)),
    report: () => {},
  })
  try {
    await app.seal.checkMasterKey()
    return await app.eraseCustomer(of.tenant, of.customer)
  } finally {
    await carrier.close()
  }
}
