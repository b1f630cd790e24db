import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { isDay } from '#kernel/day'
import { Refusal } from '#kernel/errors'
import { factsTransaction, roleOf, type Wakeups } from '#log'
import { lockAccounts } from './account-sql.ts'
import { REALISED, UNREALISED, valuationAccount } from './accounts.ts'
import { openBook, type Whose, writeBook } from './book-sql.ts'
import type { PostEntry, ReverseEntry } from './command.ts'
import { decide } from './decide.ts'
import type { Posting } from './entry.ts'
import { entryId, entrySource } from './entry-source.ts'
import { entryPosted, positionRevalued } from './events.ts'
import { type Asked, factsOf, newEvent, postedEventId } from './facts.ts'
import { type Rate, type RatesAt, rateIn, rateJson } from './rate.ts'
import { refusalOf } from './refusal.ts'
import {
  type Counted,
  countPositions,
  endOf,
  keepCounted,
  type ValuedPosition,
  valuePositions,
} from './revaluation-positions.ts'
import * as sql from './revaluation-sql.ts'

export type RevaluationAsked = Whose &
  Asked & {
    /** The currency in which gains are told: each has gains of its own. */
    readonly base: string
    /** Of the calendar in UTC, as in 2026-11-20; it must be over. */
    readonly day: string
  }

/** A position as it was valued, and what of its gain the books had not told yet. */
export type Revaluation = {
  readonly currency: string
  /** In minor units of the currency; below zero where we owe it. */
  readonly quantity: bigint
  /** These five in minor units of the base currency. */
  readonly cost: bigint
  readonly value: bigint
  readonly realised: bigint
  readonly realisedTotal: bigint
  readonly unrealised: bigint
  /** Undefined where nothing is left of the position. */
  readonly rate: Rate | undefined
  /** Of the entries; undefined for a gain of nothing. */
  readonly realisedSource: string | undefined
  readonly unrealisedSource: string | undefined
  readonly isRepeated: boolean
}

/** @throws Refusal `rate_unknown`, `rate_stale`, `revaluation_passed`, `period_closed`, or of the day or base. */
export type Revalue = (asked: RevaluationAsked) => Promise<readonly Revaluation[]>

/**
 * Values the positions in all currencies at the end of a day, as IAS 21 has it for monetary items, and books the gains: what
 * was realised for good; what was not as of the end of the day, and undone as the next begins, so that each period has what
 * became of it within it. Once for a day, base and currency. Whatever was booked late is in the next one.
 */
export function createRevaluation(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly clock: Clock
  readonly ratesAt: RatesAt
}): Revalue {
  const { work, wakeups, clock, ratesAt } = ports
  return async (asked) => {
    checkDay(asked.day, clock.now())
    const counted = await countPositions(ports, asked)
    const valued = await valuePositions(ratesAt, asked, counted.positions)
    const revaluations = await factsTransaction(work, (tx) => book(tx, asked, counted, valued), {
      role: roleOf('ledger'),
    })
    wakeups.wake([entryPosted.topic])
    return revaluations
  }
}

/** On a day that lasts, more may be converted; and what is undone at its end would be of the future. */
function checkDay(day: string, now: number): void {
  if (!isDay(day)) throw new Refusal('body_invalid', { field: 'day', detail: 'day must be one, as in 2026-11-20' })
  if (endOf(day) > now) throw new Refusal('body_invalid', { field: 'day', detail: 'day must be over (UTC)' })
}

async function book(tx: Tx, asked: RevaluationAsked, counted: Counted, valued: readonly ValuedPosition[]) {
  await sql.lockRevaluation(tx)
  await lockAccounts(tx)
  const currencies = valued.map(({ currency }) => currency)
  const before = await sql.revaluedBefore(tx, asked, currencies)
  const repeated = (await sql.revaluationsOf(tx, asked)).map(repeatedOf)
  const isRepeated = new Set(repeated.map(({ currency }) => currency))
  const found = valued
    .filter(({ currency }) => !isRepeated.has(currency))
    .map((one) => revaluationOf(one, before.get(one.currency), asked))
  await keepCounted(tx, asked, counted)
  const booked = found.filter(({ realisedSource, unrealisedSource }) => realisedSource ?? unrealisedSource)
  const facts = booked.length === 0 ? { facts: [] } : await write(tx, asked, booked)
  const result = [...repeated, ...found].sort((a, b) => (a.currency < b.currency ? -1 : 1))
  return { result, ...facts }
}

function revaluationOf(
  { currency, quantity, cost, value, rate, realised: realisedTotal }: ValuedPosition,
  before: sql.Revalued | undefined,
  { base, day }: RevaluationAsked,
): Revaluation {
  if (before && before.lastDay > day) {
    throw new Refusal('revaluation_passed', { field: 'day', members: { currency, day: before.lastDay } })
  }
  const realised = realisedTotal - (before?.realised ?? 0n)
  const unrealised = value - cost
  const sourceOf = (gain: bigint, kind: string): string | undefined =>
    gain === 0n ? undefined : entrySource(`${nameOf(base, day, currency)}/${kind}`)
  const sources = {
    realisedSource: sourceOf(realised, 'realised'),
    unrealisedSource: sourceOf(unrealised, 'unrealised'),
  }
  const gains = { realised, realisedTotal, unrealised }
  return { currency, quantity, cost, value, ...gains, rate, ...sources, isRepeated: false }
}

/** With slashes, which no caller's id has: nobody else can have used it, and nobody reverses what is named so. */
function nameOf(base: string, day: string, currency: string): string {
  return `revaluation/${base}/${day}/${currency}`
}

async function write(tx: Tx, asked: RevaluationAsked, revaluations: readonly Revaluation[]) {
  const { base, day } = asked
  const commands = revaluations.flatMap((one) => commandsOf(one, base, day))
  const postings = commands.flatMap((command) => (command.kind === 'entry' ? command.postings : []))
  const open = await openBook(tx, asked, {
    accounts: new Set(postings.map(({ account }) => account)),
    sources: new Set(commands.map(({ id }) => entrySource(id))),
    holds: new Set(),
  })
  for (const command of commands) {
    const outcome = decide(open.book, command, (source) => entryId(asked, source))
    if (outcome.status === 'refused') throw refusalOf(outcome.refusal)
  }
  await writeBook(tx, asked, open, ({ source }) => ({
    eventId: postedEventId(asked, source),
    traceparent: asked.traceparent,
  }))
  await sql.addRevaluations(tx, asked, revaluations.map(rowOf))
  const posted = factsOf(
    asked,
    open.book.changes(),
    () => false,
    () => asked,
  )
  return { ...posted, facts: [...posted.facts, ...revaluations.map((one) => toldOf(asked, one))] }
}

/** The gain is income, unrealised until the position is given away; what it is made of is the worth of the position. */
function commandsOf(
  { currency, realised, unrealised }: Revaluation,
  base: string,
  day: string,
): (PostEntry | ReverseEntry)[] {
  const name = nameOf(base, day, currency)
  const entryOf = (kind: string, account: string, gain: bigint): PostEntry[] => {
    if (gain === 0n) return []
    const id = `${name}/${kind}`
    const postings: Posting[] = [
      { account: valuationAccount(currency), amount: gain, currency: base },
      { account, amount: -gain, currency: base },
    ]
    const about = { id, fingerprint: id, effectiveAt: endOf(day) - 1, transfers: [], conditions: [] }
    return [{ kind: 'entry', purpose: `revaluation_${kind}`, postings, ...about }]
  }
  const undone = entryOf('unrealised', UNREALISED, unrealised)
  const undo = undone.map(({ id }): ReverseEntry => {
    const about = { id: `${id}/reversal`, fingerprint: id, effectiveAt: endOf(day) }
    return { kind: 'reversal', entry: entrySource(id), ...about }
  })
  return [...entryOf('realised', REALISED, realised), ...undone, ...undo]
}

function toldOf(asked: RevaluationAsked, { currency, rate, ...one }: Revaluation) {
  const { base, day } = asked
  const data = {
    base,
    currency,
    day,
    quantity: `${one.quantity}`,
    cost: `${one.cost}`,
    value: `${one.value}`,
    realised: `${one.realised}`,
    unrealised: `${one.unrealised}`,
    ...(rate ? { rate: rateJson(rate) } : {}),
    entries: [one.realisedSource, one.unrealisedSource].filter((source) => source !== undefined),
  }
  const about = { key: `revaluation/${base}/${currency}`, name: nameOf(base, day, currency) }
  return newEvent(asked, positionRevalued, about, data, asked)
}

function rowOf({ currency, rate, ...one }: Revaluation) {
  return {
    currency,
    realised_source: one.realisedSource ?? null,
    unrealised_source: one.unrealisedSource ?? null,
    quantity: `${one.quantity}`,
    cost: `${one.cost}`,
    value: `${one.value}`,
    realised: `${one.realised}`,
    realised_total: `${one.realisedTotal}`,
    unrealised: `${one.unrealised}`,
    rate: rate ? rateJson(rate) : null,
  }
}

function repeatedOf({ currency, rate, ...one }: sql.RevaluationRow): Revaluation {
  return {
    currency,
    quantity: BigInt(one.quantity),
    cost: BigInt(one.cost),
    value: BigInt(one.value),
    realised: BigInt(one.realised),
    realisedTotal: BigInt(one.realised_total),
    unrealised: BigInt(one.unrealised),
    rate: rate ? rateIn(rate) : undefined,
    realisedSource: one.realised_source ?? undefined,
    unrealisedSource: one.unrealised_source ?? undefined,
    isRepeated: true,
  }
}
