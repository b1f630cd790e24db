import { heldLong } from '#gateways'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { verifyLedger } from '#ledger'
import { createHistory, gaps, type History, listParked } from '#log'
import { archiveOf } from './archive.ts'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { noteVerification } from './doctor-sql.ts'
import { hashIn, tellVerdict, verifyExported } from './verify-export.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'Check that the ledger balances, is as it was sealed, and that the log has no gaps',
  options: {
    export: { type: 'string', value: 'DIR', summary: 'check an export, without database and key' },
    heads: { type: 'boolean', summary: 'print the hash of the last block of each partition, to be noted' },
    head: { type: 'string', value: 'HASH', summary: 'a hash that was noted: its block has to be there; repeatable' },
    archive: { type: 'string', value: 'DIR', summary: 'with --export: where archived segments of the log are' },
  },
  details: [
    'Checked: blocks of entries are as they were sealed, and entries as they are on the log; every entry and currency adds',
    'up to zero, every balance is the sum of its postings, the offsets of every partition are 0, 1, 2 … without a gap.',
    'Parked keys and gateway events that have waited for their payment for over an hour are told as warnings. The exit',
    'code is 1 when something is wrong. That it was run is noted in the database, for `millrace doctor`.',
    'With --export all of that is done with the files of an export alone, and each finding has its file and line.',
  ],
  async run(call) {
    const directory = call.text('export')
    if (directory !== undefined) return verifyExported(call, directory)
    if (call.isSet('archive')) throw new UsageError('--archive goes with --export: else set MILLRACE_ARCHIVE_DIR.')
    const noted = call.texts('head').map(hashIn)
    return withDatabase(call, async (database, config) => {
      const archive = archiveOf(config)
      const history = createHistory({ database, ...(archive ? { archive } : {}) })
      const { findings, checked, entries, heads, isSealChecked } = await findingsIn(database, history, noted)
      await noteVerification(database, { entries, findings: findings.length }).catch(unlessThereIsNowhere)
      if (!isSealChecked)
        call.warn('warning: sealed blocks were not checked: set MILLRACE_ARCHIVE_DIR, which has their entries')
      const [held, parked] = [await heldLong(database), await listParked(database, null)]
      if (held > 0n) call.warn(`warning: gateway events that have waited for their payment for over an hour: ${held}`)
      if (parked.length > 0) call.warn(`warning: parked keys: ${parked.length}; see: millrace parked list`)
      return tellVerdict(call, { findings, checked, heads })
    })
  },
}

/** On a standby, as a user who may only read, or before this version was first started: what was found is told all the same. */
function unlessThereIsNowhere(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== '25006' && code !== '42501' && code !== '42P01') throw error
}

/** What is wrong with the books and the log, in words; and how much was looked at. */
export async function findingsIn(database: Database, history?: History, noted: readonly string[] = []) {
  const ledger = await verifyLedger(database, history, noted)
  const missing = await gaps(database)
  const findings = [
    ...ledger.findings,
    ...missing.map(
      ({ topic, partition, next_offset, events }) =>
        `${topic}/${partition} has ${events} events and should have ${next_offset}`,
    ),
  ]
  const { entries, postings, blocks, heads } = ledger
  const checked = `${entries} entries, ${postings} postings`
  return { findings, checked, entries: BigInt(entries), heads, isSealChecked: blocks !== undefined }
}
