import { hash } from 'node:crypto'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { EventType, NewEvent, TimerChange } from '#log'
import type { Changes, Hold } from './book.ts'
import type { Whose } from './book-sql.ts'
import { conversionJson } from './conversion.ts'
import { entrySource } from './entry-source.ts'
import { entryPosted, entryScheduled, holdDue, holdEnded, holdPlaced, scheduleDue, scheduleEnded } from './events.ts'
import type { NewEntry } from './new-entry.ts'
import { refusalJson } from './refusal.ts'
import { keptEntry, type Schedule, type ScheduledEntry } from './schedule.ts'

/** What something follows from: a request, or an event. */
export type Asked = { readonly traceparent: string; readonly id?: string; readonly correlationId?: string }

/** What happened on a book, as events, and the timers that go with it. */
export function factsOf(
  whose: Whose,
  changes: Pick<Changes, 'entries' | 'holds' | 'schedules'>,
  isNewHold: (id: string) => boolean,
  askedFor: (id: string) => Asked,
  /** Unix milliseconds. */
  now: number = Number.NEGATIVE_INFINITY,
): { facts: NewEvent[]; timers: TimerChange[] } {
  return {
    facts: [
      ...changes.entries.map((entry) => postedFact(whose, entry, askedFor(entry.source))),
      ...changes.holds.flatMap((hold) => holdFacts(whose, hold, isNewHold(hold.id), askedFor(holdKey(hold.id)))),
      ...changes.schedules.flatMap((schedule) => scheduleFacts(whose, schedule, askedFor(schedule.source))),
    ],
    timers: [
      ...changes.holds.flatMap((hold) => timersOf(whose, hold, askedFor(holdKey(hold.id)), now)),
      ...changes.schedules.flatMap((schedule) => scheduleTimers(whose, schedule, askedFor(schedule.source), now)),
    ],
  }
}

export function holdKey(id: string): string {
  return `hold/${id}`
}

/** A pure function of what it tells of: told twice, it is one event. */
export function postedEventId({ tenant, mode }: Whose, source: string): string {
  return eventId(tenant, mode, entryPosted.type, source)
}

function postedFact(whose: Whose, entry: NewEntry, asked: Asked): NewEvent {
  const { source, purpose, effectiveAt, reverses, hold, conversion, template } = entry
  const postings = entry.postings.map(({ account, amount, currency }) => ({ account, amount: `${amount}`, currency }))
  const data = {
    entry: entry.entry,
    source,
    purpose,
    effectiveAt,
    ...(reverses === undefined ? {} : { reverses }),
    ...(hold === undefined ? {} : { hold }),
    ...(conversion === undefined ? {} : { conversion: conversionJson(conversion) }),
    ...(template === undefined ? {} : { template }),
    postings,
  }
  return newEvent(whose, entryPosted, { key: source, name: source }, data, asked)
}

function holdFacts(whose: Whose, hold: Hold, isNew: boolean, asked: Asked): NewEvent[] {
  const { id, purpose, transfer, expiresAt, state, ending } = hold
  const key = holdKey(id)
  const about = { hold: id, purpose, ...transfer, amount: `${transfer.amount}` }
  const placed = { ...about, ...(expiresAt === undefined ? {} : { expiresAt }) }
  const source = state === 'posted' && ending ? { source: entrySource(ending.id) } : {}
  return [
    ...(isNew ? [newEvent(whose, holdPlaced, { key, name: key }, placed, asked)] : []),
    ...(state === 'held'
      ? []
      : [newEvent(whose, holdEnded, { key, name: key }, { hold: id, state, ...source }, asked)]),
  ]
}

/**
 * Longer than a transaction may take. Who handles the firing of a timer has it locked and waits for the hold, which is locked
 * here: one that may be firing is not waited for, and finds that the hold is over. The same holds for what is scheduled.
 */
const SOON_MS = 10_000

function timersOf(whose: Whose, { id, state, expiresAt }: Hold, asked: Asked, now: number): TimerChange[] {
  if (expiresAt === undefined) return []
  const key = holdKey(id)
  const timer = `${whose.tenant}/${whose.mode}/${key}`
  if (state !== 'held') return expiresAt > now + SOON_MS ? [{ cancel: timer }] : []
  const event = newEvent(whose, holdDue, { key, name: key }, { hold: id }, asked)
  return [{ schedule: { id: timer, at: expiresAt, event } }]
}

function scheduleFacts(whose: Whose, { source, state, dueAt, entry, refusal }: Schedule, asked: Asked): NewEvent[] {
  const named = { key: source, name: source }
  const ending = { source, state, ...(refusal ? { refusal: refusalJson(refusal) } : {}) }
  return [
    ...(entry ? [newEvent(whose, entryScheduled, named, scheduledData(source, dueAt, entry), asked)] : []),
    ...(state === 'scheduled' ? [] : [newEvent(whose, scheduleEnded, named, { ...ending, state }, asked)]),
  ]
}

function scheduledData(source: string, dueAt: number, entry: ScheduledEntry) {
  const kept = keptEntry(entry)
  if (kept.kind === 'reversal') return { source, dueAt, purpose: 'reversal', reverses: kept.entry }
  const { purpose, postings, transfers, conditions } = kept
  return { source, dueAt, purpose, postings, transfers, conditions }
}

function scheduleTimers(whose: Whose, { source, state, dueAt }: Schedule, asked: Asked, now: number): TimerChange[] {
  const timer = `${whose.tenant}/${whose.mode}/${source}`
  if (state !== 'scheduled') return dueAt > now + SOON_MS ? [{ cancel: timer }] : []
  const event = newEvent(whose, scheduleDue, { key: source, name: source }, { source }, asked)
  return [{ schedule: { id: timer, at: dueAt, event } }]
}

/** An event whose id is a pure function of what it is about. */
export function newEvent<Data>(
  { tenant, mode }: Whose,
  of: EventType<string, Data>,
  { key, name }: { key: string; name: string },
  data: NoInfer<Data>,
  { traceparent, id: causationId = null, correlationId }: { id?: string | null } & Omit<Asked, 'id'>,
): NewEvent {
  const id = eventId(tenant, mode, of.type, name)
  return {
    id,
    of,
    key,
    tenant: brandId<TenantId>(tenant),
    mode: modeOf(mode),
    traceparent: `${traceparent.slice(0, 36)}${id.slice(-16)}${traceparent.slice(52)}`,
    causationId,
    correlationId: correlationId ?? id,
    data,
    follows: traceparent,
  }
}

function modeOf(mode: string): Mode {
  return mode === 'live' ? 'live' : 'test'
}

function eventId(tenant: string, mode: string, type: string, name: string): string {
  return `evt_${hash('sha256', `${tenant}\n${mode}\n${type}\n${name}`, 'hex').slice(0, 32)}`
}
