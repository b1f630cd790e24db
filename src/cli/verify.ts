import { heldLong } from '#gateways'
import type { Database } from '#kernel/database'
import { verifyLedger } from '#ledger'
import { createHistory, gaps, type History, listParked } from '#log'
import { archiveOf } from './archive.ts'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { noteVerification } from './doctor-sql.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'Check that the ledger balances, is as it was sealed, and that the log has no gaps',
  details: [
    'Checked: blocks of entries are as they were sealed, and entries as they are on the log; every entry and currency adds up to zero, every balance is the sum of its postings, the offsets',
    'of every partition are 0, 1, 2 … without a gap. Parked keys and gateway events that have waited for their payment',
    'for over an hour are told as warnings. The exit code is 1 when something is wrong. That it was run is noted in the',
    'database, for `millrace doctor`.',
  ],
  run: (call) =>
    withDatabase(call, async (database, config) => {
      const archive = archiveOf(config)
      const history = createHistory({ database, ...(archive ? { archive } : {}) })
      const { findings, checked, entries, isSealChecked } = await findingsIn(database, history)
      await noteVerification(database, { entries, findings: findings.length }).catch(unlessThereIsNowhere)
      if (!isSealChecked)
        call.warn('warning: sealed blocks were not checked: set MILLRACE_ARCHIVE_DIR, which has their entries')
      const [held, parked] = [await heldLong(database), await listParked(database, null)]
      if (held > 0n) call.warn(`warning: gateway events that have waited for their payment for over an hour: ${held}`)
      if (parked.length > 0) call.warn(`warning: parked keys: ${parked.length}; see: millrace parked list`)
      for (const finding of findings) call.print(`wrong: ${finding}`)
      call.print(findings.length > 0 ? `${findings.length} findings in ${checked}.` : `All is well: ${checked}.`)
      return findings.length > 0 ? 1 : 0
    }),
}

/** On a standby, as a user who may only read, or before this version was first started: what was found is told all the same. */
function unlessThereIsNowhere(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== '25006' && code !== '42501' && code !== '42P01') throw error
}

/** What is wrong with the books and the log, in words; and how much was looked at. */
export async function findingsIn(
  database: Database,
  history?: History,
): Promise<{ findings: readonly string[]; checked: string; entries: bigint; isSealChecked: boolean }> {
  const ledger = await verifyLedger(database, history)
  const missing = await gaps(database)
  const findings = [
    ...ledger.findings,
    ...missing.map(
      ({ topic, partition, next_offset, events }) =>
        `${topic}/${partition} has ${events} events and should have ${next_offset}`,
    ),
  ]
  const { entries, postings, blocks } = ledger
  const checked = `${entries} entries, ${postings} postings`
  return { findings, checked, entries: BigInt(entries), isSealChecked: blocks !== undefined }
}
