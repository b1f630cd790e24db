import { type Decision, decider, type EventOf, type HandlerContext } from '#log'
import { openBook, type Whose, writeBook } from './book-sql.ts'
import type { VoidHold } from './command.ts'
import { decide } from './decide.ts'
import { holdDue, holdEnded } from './events.ts'
import { type Asked, factsOf, holdKey } from './facts.ts'

/** Lets go of holds whose time is over, and that nobody has posted or voided. */
export const expireHolds = decider({
  name: 'expire-holds',
  reads: [holdDue],
  publishes: [holdEnded],
  handle: async (events, { tx }) => {
    const decisions: Decision[] = []
    for (const of of Map.groupBy(events, ({ tenant, mode }) => `${tenant}/${mode}`).values()) {
      decisions.push(await expire(of, tx))
    }
    return { facts: decisions.flatMap(({ facts = [] }) => facts) }
  },
})

async function expire(events: readonly EventOf<typeof holdDue>[], tx: HandlerContext['tx']): Promise<Decision> {
  const [first] = events
  if (!first) return {}
  const whose: Whose = { tenant: first.tenant, mode: first.mode }
  const holds = new Set(events.map(({ data }) => data.hold))
  const open = await openBook(tx, whose, { accounts: new Set(), sources: new Set(), holds })
  for (const hold of holds) decide(open.book, expiryOf(hold), () => '')
  const causes = new Map(events.map((event): [string, Asked] => [holdKey(event.data.hold), event]))
  const askedFor = (name: string): Asked => causes.get(name) ?? first
  await writeBook(tx, whose, open, () => ({ eventId: first.id, traceparent: first.traceparent }))
  return factsOf(whose, open.book.changes(), () => false, askedFor)
}

function expiryOf(hold: string): VoidHold {
  return { kind: 'hold_void', id: `expiry/${hold}`, fingerprint: 'expiry', hold, isExpiry: true }
}
