import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { handClock, rule } from '#harness/simulated-gateway'
import { seededRandom } from '#kernel/random'
import { BankRefusal, type Limits } from './bank.ts'
import type { Move, Verb } from './moves.ts'
import { verbSummaries } from './moves.ts'
import type { ProducedEvent } from './objects.ts'
import { parseScenario } from './scenario.ts'
import { createSimulation } from './simulation.ts'

const rules = [
  rule({ probability: 0.2 }, { behaviour: 'decline_insufficient_funds' }),
  rule({ probability: 0.3 }, { follow_ups: [{ after_ms: 700, do: 'open_dispute', due_in_seconds: 2 }] }),
  rule({ call: 'refund', probability: 0.5 }, { behaviour: 'fails' }),
]

function open(seed: number, limits: Partial<Limits> = {}) {
  const told: ProducedEvent[] = []
  const simulation = createSimulation({
    clock: handClock().clock,
    random: seededRandom(seed),
    feeBasisPoints: 290,
    scenario: parseScenario(JSON.stringify({ rules }), 'the test'),
    limits,
    challengeUrl: (intent) => `/3ds/${intent}`,
    announce: (events) => told.push(...events),
  })
  const post = (path: string, key: string, body: object): { first: unknown; events: readonly ProducedEvent[] } => {
    const { first, events } = simulation.handle({
      method: 'POST',
      path,
      query: new URLSearchParams(),
      body: { ...body },
      origin: key,
    })
    told.push(...events)
    return { first, events }
  }
  const pay = (key: string, amount: number, currency = 'eur') =>
    post('/v1/payment_intents', key, { amount, currency, confirm: true, metadata: { millrace_payment: `pay_${key}` } })
  const refund = (key: string, amount: number) =>
    post('/v1/refunds', `${key} refund`, {
      charge: simulation.bank.folder(`pay_${key}`)?.intent.latest_charge?.id ?? '',
      amount,
    })
  return { simulation, told, pay, refund }
}

type Step =
  | { kind: 'pay'; key: string; amount: number; currency: string }
  | { kind: 'refund'; key: string; amount: number }
  | { kind: 'move'; key: string; move: Move }
  | { kind: 'advance'; ms: number }

/** A payment is named by its key and place; what follows is about the one just before, where the keys agree. */
const key = fc.constantFrom('a', 'b')
const verb = fc.constantFrom(...(Object.keys(verbSummaries) as Verb[]))
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('pay' as const),
    key,
    amount: fc.integer({ min: 100, max: 50_000 }),
    currency: fc.constantFrom('eur', 'usd', 'jpy'),
  }),
  fc.record({ kind: fc.constant('refund' as const), key, amount: fc.integer({ min: 1, max: 50_000 }) }),
  fc.record({ kind: fc.constant('move' as const), key, move: fc.record({ do: verb }) }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
)

function play(world: ReturnType<typeof open>, steps: readonly Step[]): unknown[] {
  return steps.map((one, place) => playOne(world, one, place))
}

function playOne(world: ReturnType<typeof open>, one: Step, place: number): unknown {
  switch (one.kind) {
    case 'pay':
      return world.pay(`${one.key}${place}`, one.amount, one.currency).first
    case 'refund':
      return world.refund(`${one.key}${place - 1}`, one.amount).first
    case 'move':
      return moved(world, one.move, `pay_${one.key}${place - 1}`)
    case 'advance':
      world.simulation.advance(one.ms)
      return world.simulation.followUps()
  }
}

function moved({ simulation }: ReturnType<typeof open>, move: Move, target: string): unknown {
  try {
    return simulation.move(move, target)
  } catch (error) {
    if (error instanceof BankRefusal) return error.code
    throw error
  }
}

test('the same seed and the same requests give the same answers and events, in the same order, at the same times', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer(), (steps, seed) => {
      const [one, other] = [open(seed), open(seed)]
      assert.deepEqual(play(one, steps), play(other, steps))
      assert.deepEqual(one.told, other.told)
    }),
    { numRuns: 60 },
  )
})

test('names, fates and what follows are those of a key, in whatever order the requests come', () => {
  const keys = Array.from({ length: 20 }, (_, place) => `k${place}`)
  const bodiesOf = (order: readonly string[]): string[] => {
    const { simulation, told, pay } = open(7)
    for (const one of order) pay(one, 1500)
    simulation.advance(1000)
    return told.map(({ body }) => body).sort()
  }
  const expected = bodiesOf(keys)
  fc.assert(
    fc.property(fc.shuffledSubarray(keys, { minLength: keys.length }), (order) => {
      assert.deepEqual(bodiesOf(order), expected)
    }),
    { numRuns: 20 },
  )
})

/** The sum of a settlement file's column `net`. */
function netsOf(file: string): number {
  const rows = file.trimEnd().split('\r\n').slice(1)
  return rows.reduce((sum, row) => sum + Number(row.split(',')[6]), 0)
}

test('another seed makes other names', () => {
  const first = open(1).pay('a', 1500).events[0]
  assert.notEqual(open(2).pay('a', 1500).events[0]?.id, first?.id)
})

test('whatever happened, the settlement file of a payout adds up to it, and nothing is in two files or none', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(4, 200_000), (steps, settlementLines) => {
      const world = open(3, { settlementLines })
      play(world, steps)
      const { settlement } = world.simulation.bank
      const left = settlement.currencies().map((currency) => settlement.balance(currency))
      world.simulation.move({ do: 'pay_out' }, undefined)
      assert.deepEqual(
        settlement.currencies().map((currency) => settlement.balance(currency)),
        left.filter((amount) => amount <= 0),
      )
      for (const { id, amount, currency } of settlement.payouts()) {
        const rows = (settlement.fileOf(id) ?? '').trimEnd().split('\r\n').slice(1)
        const cells = rows.map((row) => row.split(','))
        assert.equal(netsOf(settlement.fileOf(id) ?? ''), amount)
        for (const [, , , , gross, fee, net, ofCurrency, , , payout] of cells) {
          assert.equal(Number(gross) - Number(fee), Number(net))
          assert.deepEqual([ofCurrency, payout], [currency.toUpperCase(), id])
        }
      }
      if (settlementLines === 4) return
      const ids = settlement.payouts().flatMap(({ id }) => settlement.transactionsOf(id)?.map((one) => one.id) ?? [])
      assert.equal(new Set(ids).size, ids.length)
    }),
    { numRuns: 100 },
  )
})

test('a gateway remembers the payments used last, and keeps its balance whatever it forgets', () => {
  const { simulation, pay } = open(5, { payments: 10, settlementLines: 8 })
  const paid = Array.from({ length: 100 }, (_, place) => pay(`k${place}`, 1000, 'usd'))
  assert.ok(paid.length === 100 && simulation.bank.folder('pay_k99') !== undefined)
  assert.equal(simulation.bank.folder('pay_k0'), undefined)
  const succeeded = paid.filter(({ events }) => events.at(-1)?.type === 'payment_intent.succeeded').length
  assert.equal(simulation.bank.settlement.balance('usd'), succeeded * (1000 - 29))
  simulation.move({ do: 'pay_out' }, undefined)
  const [payout] = simulation.bank.settlement.payouts()
  const text = simulation.bank.settlement.fileOf(payout?.id ?? '') ?? ''
  assert.match(text, /\r\n,carried_forward,\d+ earlier lines,/)
  assert.equal(netsOf(text), payout?.amount)
})

test('what is to happen happens by itself when its time comes, without being asked', async () => {
  const { clock, pass } = handClock()
  const told: string[] = []
  const simulation = createSimulation({
    clock,
    random: seededRandom(1),
    feeBasisPoints: 0,
    scenario: { rules: [], payouts: { every_ms: 1000 } },
    limits: {},
    challengeUrl: (intent) => intent,
    announce: (events) => told.push(...events.map(({ type }) => type)),
  })
  const input = { amount: 100, currency: 'eur', captureMethod: 'automatic', confirm: true } as const
  simulation.tell(simulation.bank.createIntent({ ...input, paymentMethod: null, metadata: {} }))
  told.length = 0
  await new Promise((resolve) => setImmediate(resolve))
  pass(999)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [])
  pass(1)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, ['payout.created', 'payout.paid'])
  await simulation.stop()
})

test('a dispute that nobody responds to is lost when it is due; an inquiry is closed', () => {
  const { simulation, told, pay } = open(11)
  for (const [place, inquiry] of [false, true, false].entries()) {
    // Some are declined by chance: take the next that is not.
    let name = `d${place}`
    for (let more = 0; simulation.bank.folder(`pay_${name}`)?.intent.status !== 'succeeded'; more += 1) {
      name = `d${place}-${more}`
      pay(name, 1000)
    }
    simulation.move({ do: 'open_dispute', inquiry }, `pay_${name}`)
    if (place === 2) simulation.move({ do: 'respond_dispute' }, `pay_${name}`)
  }
  told.length = 0
  simulation.advance(7 * 24 * 60 * 60 * 1000 - 1000)
  const isDueLate = (body: string) => JSON.parse(body).data.object.evidence_details?.due_by > 0
  told.length = 0
  simulation.advance(2000)
  const ends = told.filter(({ body }) => isDueLate(body)).map(({ body }) => JSON.parse(body).data.object.status)
  assert.deepEqual(ends.sort(), ['lost', 'warning_closed'])
})
