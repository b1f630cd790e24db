import { heldLong } from '#gateways'
import type { Database } from '#kernel/database'
import { verifyLedger } from '#ledger'
import { gaps, listParked } from '#log'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { noteVerification } from './doctor-sql.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'Check that the ledger balances and the log has no gaps',
  details: [
    'Checked: every entry and every currency add up to zero, every balance is the sum of its postings, the offsets',
    'of every partition are 0, 1, 2 … without a gap. Parked keys and gateway events that have waited for their payment',
    'for over an hour are told as warnings. The exit code is 1 when something is wrong. That it was run is noted in the',
    'database, for `millrace doctor`.',
  ],
  run: (call) =>
    withDatabase(call, async (database) => {
      const { findings, checked, entries } = await findingsIn(database)
      await noteVerification(database, { entries, findings: findings.length }).catch(unlessThereIsNowhere)
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
): Promise<{ findings: readonly string[]; checked: string; entries: bigint }> {
  const ledger = await verifyLedger(database)
  const missing = await gaps(database)
  const findings = [
    ...ledger.findings,
    ...missing.map(
      ({ topic, partition, next_offset, events }) =>
        `${topic}/${partition} has ${events} events and should have ${next_offset}`,
    ),
  ]
  const { entries, postings } = ledger
  return { findings, checked: `${entries} entries, ${postings} postings`, entries: BigInt(entries) }
}
