import { heldLong } from '#gateways'
import { verifyLedger } from '#ledger'
import { gaps, listParked } from '#log'
import type { Command } from './command.ts'
import { withDatabase } from './connect.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'Check that the ledger balances and the log has no gaps',
  details: [
    'Checked: every entry and every currency add up to zero, every balance is the sum of its postings, the offsets',
    'of every partition are 0, 1, 2 … without a gap. Parked keys and gateway events that have waited for their payment',
    'for over an hour are told as warnings. The exit code is 1 when something is wrong.',
  ],
  run: (call) =>
    withDatabase(call, async (database) => {
      const ledger = await verifyLedger(database)
      const missing = await gaps(database)
      const findings = [
        ...ledger.findings,
        ...missing.map(
          ({ topic, partition, next_offset, events }) =>
            `${topic}/${partition} has ${events} events and should have ${next_offset}`,
        ),
      ]
      const [held, parked] = [await heldLong(database), await listParked(database, null)]
      if (held > 0n) call.warn(`warning: gateway events that have waited for their payment for over an hour: ${held}`)
      if (parked.length > 0) call.warn(`warning: parked keys: ${parked.length}; see: millrace parked list`)
      for (const finding of findings) call.print(`wrong: ${finding}`)
      const checked = `${ledger.entries} entries, ${ledger.postings} postings`
      call.print(findings.length > 0 ? `${findings.length} findings in ${checked}.` : `All is well: ${checked}.`)
      return findings.length > 0 ? 1 : 0
    }),
}
