import { UsageError } from '#kernel/errors'
import { proveEntry } from '#ledger'
import { archiveOf } from './archive.ts'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { hashIn } from './verify-export.ts'

export const proof: Command = {
  name: 'proof',
  summary: 'Prove that an entry is in a sealed block of the ledger',
  arguments: 'ENTRY',
  options: {
    tenant: { type: 'string', value: 'T', summary: 'whose it is (main)' },
    mode: { type: 'string', value: 'M', summary: 'test or live (test)' },
    head: { type: 'string', value: 'HASH', summary: 'of a later block, as it was noted: the proof leads up to it' },
  },
  details: [
    'ENTRY is its id (ent_…), the one it was asked for under, or its source. Prints JSON with the entry, the hashes beside',
    'its way to the root of its block, and the block. An auditor checks it with a page of code, without us and without any',
    'other entry: docs/proof.md.',
  ],
  run: (call) =>
    withDatabase(call, async (database, config) => {
      const [name = ''] = call.arguments
      const noted = call.text('head')
      const head = noted === undefined ? undefined : hashIn(noted)
      const whose = { tenant: call.text('tenant') ?? 'main', mode: call.text('mode') ?? 'test' }
      const outcome = await proveEntry(database, whose, name, { archive: archiveOf(config), head })
      if (outcome.status === 'not_found') {
        throw new UsageError(`There is no entry ${name} in ${whose.mode} mode of ${whose.tenant}.`)
      }
      if (outcome.status === 'archived') {
        throw new UsageError(`The block of ${name} is in the archive alone: set MILLRACE_ARCHIVE_DIR to where it is.`)
      }
      if (outcome.status === 'no_chain') {
        throw new UsageError(`--head is of no block of the partition of ${name}, its own or up to 10,000 behind it.`)
      }
      if (outcome.status === 'provisional') {
        call.warn(`The entry is booked; its block is sealed with the first entry that comes a minute after it began.`)
        return 1
      }
      call.print(JSON.stringify(outcome.proof, null, 2))
      return 0
    }),
}
