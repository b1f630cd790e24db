import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { Random } from '#kernel/random'
import { factsTransaction, isReason, type NewEvent, roleOf, type Wakeups } from '#log'
import { lockAccounts } from './account-sql.ts'
import type { Whose } from './book-sql.ts'
import { periodClosed, periodReopened } from './events.ts'
import { type Asked, newEvent } from './facts.ts'
import { closedThrough, writePeriod } from './period-sql.ts'

export type Periods = {
  /** Unix milliseconds up to and with which nothing more is booked; undefined where everything is open. */
  closedThrough(whose: Whose): Promise<number | undefined>
  /** From now on nothing is booked with an effective time up to it. @throws Refusal `period_invalid`. */
  close(whose: Whose, through: number, asked: Asked): Promise<void>
  /** Opens what was closed behind an instant, or all of it. @throws Refusal `period_invalid` or `reason_invalid`. */
  reopen(whose: Whose, through: number | undefined, reason: string, asked: Asked): Promise<void>
}

/** Closes the books up to an instant. Whoever books at this moment is waited for: it is before, and counts, or is refused. */
export function createPeriods(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly random: Random
  readonly clock: Clock
}): Periods {
  const { work, read, wakeups, random, clock } = ports

  const change = async (
    whose: Whose,
    decide: (before: number | undefined) => { through: number | undefined; fact: NewEvent },
  ) => {
    await factsTransaction(
      work,
      async (tx) => {
        await lockAccounts(tx)
        const { through, fact } = decide(await closedThrough(tx, whose))
        await writePeriod(tx, whose, through)
        return { result: undefined, facts: [fact] }
      },
      { role: roleOf('ledger') },
    )
    wakeups.wake([periodClosed.topic])
  }
  const about = () => ({ key: 'period', name: random.bytes(16).toString('hex') })

  return {
    closedThrough: (whose) => closedThrough(read, whose),
    async close(whose, through, asked) {
      // Said before anybody has to wait for us.
      if (through > clock.now()) throw invalid('through must not be in the future')
      await change(whose, (before) => {
        if (before !== undefined && through < before)
          throw invalid('through must not be before what is closed: reopen it')
        return { through, fact: newEvent(whose, periodClosed, about(), { through }, asked) }
      })
    },
    async reopen(whose, through, reason, asked) {
      if (!isReason(reason)) throw new Refusal('reason_invalid', { field: 'reason' })
      await change(whose, (before) => {
        if (before === undefined) throw invalid('nothing is closed')
        if (through !== undefined && through >= before) throw invalid('through must be before what is closed')
        const data = { was: before, ...(through === undefined ? {} : { through }), reason }
        return { through, fact: newEvent(whose, periodReopened, about(), data, asked) }
      })
    },
  }
}

function invalid(detail: string): Refusal {
  return new Refusal('period_invalid', { field: 'through', detail })
}
