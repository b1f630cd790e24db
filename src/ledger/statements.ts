import { type EventOf, partitionOf, projection } from '#log'
import { sealEntries } from './blocks.ts'
import { entrySourceOf } from './entry-source.ts'
import { entryPosted } from './events.ts'
import { addFiled, type FiledRow } from './filed-sql.ts'
import { addDays, addLines, type DayRow, type LineRow } from './statement-sql.ts'

/**
 * What is told of entries afterwards, outside the write path: every posting as a line of its account, sums by day, what
 * they are searched by, and the blocks that seal them. A line is booked when the log took its event.
 */
export const statements = projection({
  name: 'statements',
  reads: [entryPosted],
  tables: ['ledger.line', 'ledger.day', 'ledger.filed', 'ledger.block', 'ledger.open_block'],
  fold: async (entries, tx) => {
    const lines = entries.flatMap(linesOf)
    if (lines.length === 0) return
    await addLines(tx, lines)
    await addDays(tx, daysOf(entries))
    await addFiled(tx, entries.map(filedOf))
    await sealEntries(entries, tx)
  },
})

/** What of a posted entry its lines are made of. */
type Posted = Pick<EventOf<typeof entryPosted>, 'key' | 'time'> & {
  readonly tenant: string
  readonly mode: string
  readonly data: Pick<EventOf<typeof entryPosted>['data'], 'source' | 'effectiveAt' | 'postings'>
}

export function linesOf({ tenant, mode, key, time, data }: Posted): LineRow[] {
  const { effectiveAt } = data
  return data.postings.map(({ account, currency, amount }, place) => {
    return {
      tenant,
      mode,
      account,
      currency,
      effectiveAt,
      source: entrySourceOf(key, data.source),
      place,
      bookedAt: time,
      amount,
    }
  })
}

function filedOf({ tenant, mode, key, data }: EventOf<typeof entryPosted>): FiledRow {
  const { entry, purpose, effectiveAt } = data
  const source = entrySourceOf(key, data.source)
  // What somebody asked for under an id is its own key; everything else is of a payment or payout.
  const payment = source === key ? null : key
  return { tenant, mode, source, entry, purpose, effectiveAt, payment }
}

export function daysOf(entries: readonly Posted[]): DayRow[] {
  const sums = new Map<
    string,
    { at: Omit<DayRow, 'debit' | 'credit' | 'entries'>; debit: bigint; credit: bigint; entries: number }
  >()
  const dayOf = daysByNumber()
  for (const { tenant, mode, key, time, data } of entries) {
    const [effectiveDay, bookedDay, stripe] = [dayOf(data.effectiveAt), dayOf(time), partitionOf(key)]
    for (const { account, currency, amount } of data.postings) {
      const name = `${tenant}\n${mode}\n${account}\n${currency}\n${effectiveDay}\n${bookedDay}\n${stripe}`
      let sum = sums.get(name)
      if (!sum) {
        const at = { tenant, mode, account, currency, effectiveDay, bookedDay, stripe }
        sum = { at, debit: 0n, credit: 0n, entries: 0 }
        sums.set(name, sum)
      }
      const minor = BigInt(amount)
      if (minor > 0n) sum.debit += minor
      else sum.credit -= minor
      sum.entries++
    }
  }
  return [...sums.values()].map(({ at, debit, credit, entries: count }) => {
    return { ...at, debit: `${debit}`, credit: `${credit}`, entries: count }
  })
}

const DAY_MS = 86_400_000

/** Days of the calendar in UTC, as in 2026-11-21; each is written once, because most of a batch is of one. */
function daysByNumber(): (ms: number) => string {
  const days = new Map<number, string>()
  return (ms) => {
    const number = Math.floor(ms / DAY_MS)
    const day = days.get(number) ?? new Date(number * DAY_MS).toISOString().slice(0, 10)
    days.set(number, day)
    return day
  }
}
