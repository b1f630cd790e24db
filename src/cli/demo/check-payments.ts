import type { LookedAt, ShownOperation } from './check-payment.ts'
import type { AskedOperation } from './desk.ts'
import { compare, type Finding, type Section } from './findings.ts'
import type { Held } from './held.ts'
import type { Afterwards } from './later.ts'
import type { Reported } from './lineages.ts'
import type { Answers } from './requests.ts'
import * as sql from './sql.ts'
import { SHOP_MERCHANT, type Stage } from './stage.ts'

/** Payments asked for over the API. */
export function requestSection(answers: Answers, payments: readonly LookedAt[], eventsOf: sql.EventsOf): Section {
  const { accepted, repeats, refused, conflicts, conflictsPlanned } = answers
  return {
    title: `API payments (${answers.sent} requests)`,
    findings: [
      ...beside(
        payments.map(({ status }) => status),
        payments.map(({ expected }) => expected),
      ),
      compare('refused by the risk rules (422)', eventsOf('payment.rejected').events, refused),
      // A conflict that the door sees leaves nothing behind; all else it answers does.
      compare('requests on the log', eventsOf('payment.requested').events, accepted.size + repeats + refused),
      compare('asked again under the same key: same answer', answers.repeats, answers.repeatsPlanned),
      compare('other body under the same key (409)', conflicts, conflictsPlanned),
      compare('payments whose state or amount differs', payments.filter(({ isRight }) => !isRight).length, 0),
      compare('payments charged twice', payments.filter(({ held }) => held.intents > 1).length, 0),
      compare('unexpected answers', answers.unexpected, 0),
    ],
  }
}

/** Calls that the gateway took without answering, or answered with an error: whether they were done, nobody said. */
export function stormSection(payments: readonly LookedAt[], doubts: sql.Doubts): Section {
  const storm = payments.filter(({ planned }) => planned.fate === 'time_out')
  const unanswered = payments.filter(({ planned }) => isUnanswered(planned.fate, planned.later))
  const charged = storm.filter(({ held }) => held.captured > 0)
  return {
    title: `Storm: ${storm.length} requests in a row time out`,
    findings: [
      compare('calls left open, errors included', doubts.calls, unanswered.length),
      compare('  still open', unanswered.filter(isOpen).length, 0),
      compare('timed out, and charged', storm.filter(({ status }) => status === 'captured').length, charged.length),
      compare(
        'timed out, and not charged',
        storm.filter(({ status }) => status === 'failed').length,
        storm.length - charged.length,
      ),
    ],
    notes: [
      `${doubts.payments} payments were unknown until the gateway was asked: it was, ${doubts.questions} times in all`,
    ],
  }
}

function isUnanswered(fate: string, later: string | undefined): boolean {
  return fate === 'time_out' || fate === 'fail' || later?.endsWith('_unanswered') === true
}

function isOpen({ status, operations }: LookedAt): boolean {
  return [status, ...operations.map((operation) => operation.status)].some(
    (one) => one === 'unknown' || one === 'pending',
  )
}

/** Captures, cancellations and refunds asked for over the API. */
export function operationSection(
  { repeats }: Answers,
  { told, stuck }: Afterwards,
  payments: readonly LookedAt[],
  eventsOf: sql.EventsOf,
): Section {
  const shown = payments.flatMap(({ operations }) => operations).filter(({ call }) => call !== 'authorize')
  const byId = new Map(payments.flatMap((payment) => payment.operations.map(({ id }) => [id, payment])))
  const expected = [...told.operations].map(([id, asked]) =>
    nameOf({ ...asked, status: fateOf(id, asked, byId.get(id)?.held) }),
  )
  const refusedBehind = shown.filter(({ status }) => status === 'refused').length
  return {
    title: `Captures, cancellations, refunds (${told.asked} requests)`,
    findings: [
      ...beside(shown.map(nameOf), expected),
      compare('refused: too much, too late, or declined', told.refused + refusedBehind, told.refusalsPlanned),
      compare('asked again under the same key: same answer', told.repeats, told.repeatsPlanned),
      compare('  done once, payments included', eventsOf('payment.duplicate_ignored').events, told.repeats + repeats),
      compare(
        'requests on the log',
        eventsOf('payment.operation_requested').events,
        told.operations.size + told.repeats,
      ),
      compare('payments that nothing could be done with', stuck, 0),
      compare('unexpected answers', told.unexpected, 0),
    ],
  }
}

/** What the gateway made of an operation, by what it holds. */
function fateOf(id: string, { call, amount }: AskedOperation, held: Held | undefined): string {
  if (held === undefined) return 'lost'
  const refund = held.refunds.find(({ operation }) => operation === id)
  const isDone = {
    capture: held.status === 'succeeded' && held.captured === (amount ?? held.captured),
    cancel: held.status === 'canceled',
    refund: refund?.isMade === true,
  }
  if (isDone[call]) return 'succeeded'
  return refund === undefined ? 'refused' : 'failed'
}

const PLURALS: Readonly<Record<string, string>> = { capture: 'captures', cancel: 'cancellations', refund: 'refunds' }

function nameOf({ call, status }: Pick<ShownOperation, 'call' | 'status'>): string {
  return `${PLURALS[call] ?? call} ${status}`
}

/** Payments that began at the gateway. */
export async function reportedSection({ database, tenant }: Stage, { statuses }: Reported): Promise<Section> {
  const rows = await sql.statuses(database, tenant, SHOP_MERCHANT)
  const ours = new Map(rows.filter((row) => row.reported).map(({ status, payments }) => [status, Number(payments)]))
  return { title: 'Payments reported by a gateway', findings: byName(ours, statuses) }
}

function beside(ours: readonly string[], outside: readonly string[]): Finding[] {
  return byName(countsOf(ours), countsOf(outside))
}

function byName(ours: ReadonlyMap<string, number>, outside: ReadonlyMap<string, number>): Finding[] {
  const names = [...new Set([...ours.keys(), ...outside.keys()])].sort()
  return names.map((name) => compare(name, ours.get(name) ?? 0, outside.get(name) ?? 0))
}

function countsOf(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
