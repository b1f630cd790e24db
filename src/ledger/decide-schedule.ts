import type { Book } from './book.ts'
import { checkBalanced } from './check-balanced.ts'
import type { CancelSchedule, Outcome, ScheduleEntry } from './command.ts'
import { entrySource } from './entry-source.ts'
import { Refused } from './refused.ts'

/**
 * Keeps an entry until it is due. Refused now is only what can never be booked; everything else, funds and accounts, is for
 * when it is due.
 */
export function placeSchedule(book: Book, command: ScheduleEntry): Outcome {
  const { id, fingerprint, entry, dueAt, askedAt } = command
  const source = entrySource(id)
  const before = book.schedule(source)
  if (before && before.fingerprint !== fingerprint) throw new Refused({ code: 'id_reused', id })
  const booked = book.booked(source)
  if (before) return { status: 'done', id, entry: booked?.entry, isRepeated: true, schedule: before.state }
  if (booked) throw new Refused({ code: 'id_reused', id })
  if (dueAt <= askedAt) throw new Refused({ code: 'schedule_passed', id })
  if (entry.kind === 'entry') checkBalanced(entry.postings)
  book.setSchedule({ source, fingerprint, dueAt, state: 'scheduled', refusal: undefined, entry })
  return { status: 'done', id, entry: undefined, isRepeated: false, schedule: 'scheduled' }
}

/** Takes it back, once; what has been booked or refused stays so. */
export function cancelSchedule(book: Book, { id }: CancelSchedule): Outcome {
  const schedule = book.schedule(entrySource(id))
  if (!schedule) throw new Refused({ code: 'schedule_unknown', id })
  const { state } = schedule
  if (state === 'booked' || state === 'refused') throw new Refused({ code: 'schedule_ended', id, state })
  const isRepeated = state === 'canceled'
  if (!isRepeated) book.setSchedule({ ...schedule, state: 'canceled' })
  return { status: 'done', id, entry: undefined, isRepeated, schedule: 'canceled' }
}
