import { heldLong } from '#gateways'
import { isObject, textAt, valueAt } from '#gateways/stripe'
import { verifyLedger } from '#ledger'
import { gaps, listParked } from '#log'
import { type Books, booksOf, sumOf } from './books.ts'
import type { CorpusSent } from './corpus.ts'
import { compare, expect, type Section } from './findings.ts'
import type { Reported } from './lineages.ts'
import type { Answers } from './requests.ts'
import * as sql from './sql.ts'
import { ACQUIRER, CURRENCIES, each, getJson, SHOP, SHOP_MERCHANT, type Stage } from './stage.ts'
import type { Carried } from './webhooks.ts'

export type Played = {
  readonly answers: Answers
  readonly reported: Reported
  readonly carried: Carried
  readonly corpus: CorpusSent | undefined
  readonly isSettled: boolean
}

/** Compares what the platform says with what was counted outside it, figure by figure. */
export async function check(stage: Stage, played: Played): Promise<Section[]> {
  const events = await sql.events(stage.database, stage.tenant)
  const eventsOf = (type: string, account = ''): { events: bigint; different: bigint } =>
    events.find((row) => row.type === type && row.account === account) ?? { events: 0n, different: 0n }
  return [
    await requestSection(stage, played, eventsOf),
    await reportedSection(stage, played),
    webhookSection(stage, played, eventsOf),
    await moneySection(stage, played),
    await integritySection(stage, played),
  ]
}

type EventsOf = (type: string, account?: string) => { events: bigint; different: bigint }

async function requestSection(stage: Stage, { answers }: Played, eventsOf: EventsOf): Promise<Section> {
  const ours = new Map<string, number>()
  const theirs = new Map<string, number>()
  let [wrong, charged] = [0, 0]
  await each([...answers.accepted.keys()], 8, async (id) => {
    const payment = await getJson(stage, `/v1/payments/${id}`)
    const said = isObject(payment) ? (textAt(payment, 'status') ?? 'none') : 'none'
    const intents = stage.acquirer.intentsOf(id)
    const expected = statusAtGateway(intents[0]?.status)
    add(ours, said)
    add(theirs, expected)
    const captured = intents.reduce((sum, { amount_received: received }) => sum + received, 0)
    if (intents.length > 1) charged += 1
    if (said !== expected || !isObject(payment) || valueAt(payment, 'captured') !== captured) wrong += 1
  })
  return {
    title: `API payments (${answers.sent} requests)`,
    findings: [
      ...namesOf(ours, theirs).map((status) => compare(status, ours.get(status) ?? 0, theirs.get(status) ?? 0)),
      compare('refused by the risk rules (422)', eventsOf('payment.rejected').events, answers.refused),
      compare(
        'asked again under the same key: done once',
        eventsOf('payment.duplicate_ignored').events,
        answers.repeats,
      ),
      compare('other body under the same key (409)', answers.conflicts, answers.conflictsPlanned),
      compare('requests on the log', eventsOf('payment.requested').events, onTheLog(answers)),
      compare('payments whose state or amount differs', wrong, 0),
      compare('payments charged twice', charged, 0),
      compare('unexpected answers', answers.unexpected, 0),
    ],
  }
}

/** A conflict that the door sees leaves nothing behind; all else it answers does. */
function onTheLog({ accepted, repeats, refused }: Answers): number {
  return accepted.size + repeats + refused
}

function statusAtGateway(status: string | undefined): string {
  switch (status) {
    case 'succeeded':
      return 'captured'
    case 'requires_capture':
      return 'authorized'
    default:
      return 'failed'
  }
}

async function reportedSection({ database, tenant }: Stage, { reported }: Played): Promise<Section> {
  const rows = await sql.statuses(database, tenant, SHOP_MERCHANT)
  const ours = new Map(rows.filter((row) => row.reported).map(({ status, payments }) => [status, Number(payments)]))
  const { statuses } = reported
  return {
    title: 'Payments reported by a gateway',
    findings: namesOf(ours, statuses).map((status) =>
      compare(status, ours.get(status) ?? 0, statuses.get(status) ?? 0),
    ),
  }
}

function webhookSection({ acquirer }: Stage, { carried, corpus }: Played, eventsOf: EventsOf): Section {
  const shop = eventsOf('gateway.event_received', SHOP)
  const ours = eventsOf('gateway.event_received', ACQUIRER)
  const { sent, delivered, retried } = acquirer.counts()
  return {
    title: 'Webhooks',
    findings: [
      compare('shuffled, late and repeated: accepted', shop.events, carried.accepted),
      compare('  of them different', shop.different, carried.different),
      compare('  refused', carried.sent - carried.accepted, 0),
      compare('of our own payments: accepted', ours.events, delivered),
      compare('  of them different', ours.different, acquirer.events().length),
      compare('  never accepted', sent - retried - delivered, 0),
      ...(corpus === undefined ? [] : [compare('recorded Stripe events accepted', corpus.accepted, corpus.sent)]),
    ],
  }
}

const kinds = [
  ['captured', 'capture', 'captured'],
  ['refunded', 'refund', 'refunded'],
  ['taken by disputes', 'dispute', 'disputed'],
  ['given back by disputes', 'dispute_reinstated', 'reinstated'],
  ['lost to disputes', 'dispute_lost', 'lost'],
  ['kept as fees', 'fee', 'fees'],
  ['paid out', 'payout', 'paidOut'],
] as const satisfies readonly (readonly [string, string, keyof Books])[]

async function moneySection(stage: Stage, { answers, reported }: Played): Promise<Section> {
  const rows = await sql.moved(stage.database, stage.tenant)
  const all = [reported.books, booksOf(stage.acquirer, answers.accepted.keys())]
  const difference = await differences(stage)
  return {
    title: 'Ledger, in minor units',
    findings: CURRENCIES.flatMap((currency) => [
      ...kinds.map(([what, purpose, kind]) => {
        const row = rows.find((candidate) => candidate.purpose === purpose && candidate.currency === currency)
        return compare(`${currency} ${what}`, row?.amount ?? 0n, sumOf(all, kind, currency))
      }),
      compare(`${currency} debits less credits, trial balance`, difference.get(currency) ?? 0n, 0n),
      compare(
        `${currency} still with the gateways`,
        difference.get(`${currency} receivable`) ?? 0n,
        owed(all, currency),
      ),
    ]),
  }
}

/** What gateways owe after all that they took, kept, gave back and paid. */
function owed(all: readonly Books[], currency: string): bigint {
  const sum = (kind: keyof Books): bigint => sumOf(all, kind, currency)
  return sum('captured') - sum('fees') - sum('refunded') - sum('disputed') + sum('reinstated') - sum('paidOut')
}

/** From `GET /v1/trial-balance`: debits less credits of each currency, and what its receivables come to. */
async function differences(stage: Stage): Promise<Map<string, bigint>> {
  const answer = await getJson(stage, '/v1/trial-balance')
  const accounts = isObject(answer) ? valueAt(answer, 'accounts') : []
  const sums = new Map<string, bigint>()
  for (const line of Array.isArray(accounts) ? accounts.filter(isObject) : []) {
    const [currency = '', debit = '0', credit = '0'] = ['currency', 'debit', 'credit'].map((name) => textAt(line, name))
    const amount = BigInt(debit) - BigInt(credit)
    sums.set(currency, (sums.get(currency) ?? 0n) + amount)
    if (!/^gateway:(?:acquirer|shop):receivable$/.test(textAt(line, 'account') ?? '')) continue
    sums.set(`${currency} receivable`, (sums.get(`${currency} receivable`) ?? 0n) + amount)
  }
  return sums
}

async function integritySection({ database, tenant }: Stage, { isSettled }: Played): Promise<Section> {
  const verdict = await verifyLedger(database)
  const latencies = await sql.latency(database, tenant)
  return {
    title: 'Verify',
    findings: [
      expect('everything settled in time', isSettled, isSettled ? 'yes' : 'no', 'yes'),
      compare(
        `what is wrong with ${verdict.entries} entries, ${verdict.postings} postings`,
        verdict.findings.length,
        0,
      ),
      compare('partitions with gaps', (await gaps(database)).length, 0),
      compare('keys parked', (await listParked(database, null)).length, 0),
      compare('events held for over an hour', await heldLong(database), 0n),
    ],
    notes: [...verdict.findings, ...latencies.map(latencyLine)],
  }
}

function latencyLine({
  origin,
  entries,
  p50,
  p99,
}: {
  origin: string
  entries: bigint
  p50: number
  p99: number
}): string {
  const way = origin === 'payment.requested' ? 'request accepted → gateway → posted' : 'webhook accepted → posted'
  return `${way}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms (${entries} captures)`
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function namesOf(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].sort()
}
