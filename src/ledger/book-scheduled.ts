import { type Decision, decider, type EventOf, type HandlerContext } from '#log'
import { openBook, type Whose, writeBook } from './book-sql.ts'
import { addConversions } from './conversion-sql.ts'
import { decide } from './decide.ts'
import { scopeOf } from './desk.ts'
import { entryId } from './entry-source.ts'
import { addTemplates } from './entry-template-sql.ts'
import { entryPosted, scheduleDue, scheduleEnded } from './events.ts'
import { type Asked, factsOf, postedEventId } from './facts.ts'
import { entryIn } from './schedule.ts'
import { findSchedules, writeSchedules } from './schedule-sql.ts'

/** Books what is due, by the decision that it would meet if it were asked for now. A refusal is a fact, and final. */
export const bookScheduled = decider({
  name: 'book-scheduled',
  reads: [scheduleDue],
  publishes: [entryPosted, scheduleEnded],
  handle: async (events, { tx }) => {
    const decisions: Decision[] = []
    for (const of of Map.groupBy(events, ({ tenant, mode }) => `${tenant}/${mode}`).values()) {
      decisions.push(await bookDue(of, tx))
    }
    return { facts: decisions.flatMap(({ facts = [] }) => facts) }
  },
})

async function bookDue(events: readonly EventOf<typeof scheduleDue>[], tx: HandlerContext['tx']): Promise<Decision> {
  const [first] = events
  if (!first) return {}
  const whose: Whose = { tenant: first.tenant, mode: first.mode }
  const sources = [...new Set(events.map(({ data }) => data.source))]
  // What is to be booked never changes, and says what has to be locked. Whether it still is to be, is read under lock.
  const rows = await findSchedules(tx, whose, sources)
  const commands = rows.map(({ command, due_at }) => ({ ...entryIn(command), effectiveAt: due_at.getTime() }))
  const open = await openBook(tx, whose, scopeOf(commands))
  const nameEntry = (source: string): string => entryId(whose, source)
  for (const [place, { source }] of rows.entries()) {
    const command = commands[place]
    const schedule = open.book.schedule(source)
    if (!command || schedule?.state !== 'scheduled') continue
    const outcome = decide(open.book, command, nameEntry)
    const refusal = outcome.status === 'refused' ? outcome.refusal : undefined
    open.book.setSchedule({ ...schedule, state: refusal ? 'refused' : 'booked', refusal })
  }
  const causes = new Map(events.map((event): [string, Asked] => [event.data.source, event]))
  const askedFor = (source: string): Asked => causes.get(source) ?? first
  const changes = open.book.changes()
  const { facts } = factsOf(whose, changes, () => false, askedFor)
  await writeBook(tx, whose, open, ({ source }) => ({
    eventId: postedEventId(whose, source),
    traceparent: askedFor(source).traceparent,
  }))
  await addConversions(tx, whose, changes.entries)
  await addTemplates(tx, whose, changes.entries)
  await writeSchedules(tx, whose, open)
  return { facts }
}
