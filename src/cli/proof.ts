import { UsageError } from '#kernel/errors'
import { proveEntry } from '#ledger'
import { createHistory } from '#log'
import { archiveOf } from './archive.ts'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'

export const proof: Command = {
  name: 'proof',
  summary: 'Prove that an entry is in a sealed block of the ledger',
  arguments: 'SOURCE',
  options: {
    tenant: { type: 'string', value: 'T', summary: 'whose it is (main)' },
    mode: { type: 'string', value: 'M', summary: 'test or live (test)' },
  },
  details: [
    'Prints JSON with the entry, the hashes beside its way to the root of its block, and the block. An auditor checks it',
    'with a page of code, without us and without any other entry: docs/proof.md.',
  ],
  run: (call) =>
    withDatabase(call, async (database, config) => {
      const [source = ''] = call.arguments
      const whose = { tenant: call.text('tenant') ?? 'main', mode: call.text('mode') ?? 'test' }
      const archive = archiveOf(config)
      const history = createHistory({ database, ...(archive ? { archive } : {}) })
      const outcome = await proveEntry(database, whose, source, history)
      if (outcome.status === 'not_found') {
        throw new UsageError(`No entry has the source ${source} in ${whose.mode} mode of ${whose.tenant}.`)
      }
      if (outcome.status === 'provisional') {
        call.warn(`The entry is booked; its block is sealed with the first entry that comes a minute after it began.`)
        return 1
      }
      call.print(JSON.stringify(outcome.proof, null, 2))
      return 0
    }),
}
