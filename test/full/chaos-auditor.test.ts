import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { until } from '#harness/until'
import type { Evidence } from '../chaos/audit/evidence.ts'
import { judge } from '../chaos/audit/judge.ts'
import { planOf, planOfDeaths } from '../chaos/plan.ts'
import { type Condition, openWire } from '../chaos/wire.ts'

// What the auditor goes by is data, so that each promise can be broken on paper: it must say which.

const TRACE = 'a'.repeat(32)

test('the auditor has nothing to say where every promise was kept', () => {
  assert.deepEqual(judge(kept()), [])
})

const doctored: readonly [claim: string, break_: (evidence: Evidence) => Evidence][] = [
  ['payments answered with a 2xx that are not there', (all) => ({ ...all, known: without(all.known, 'pay_one') })],
  [
    'captures, cancellations and refunds answered with a 2xx that are not there',
    (all) => ({ ...all, knownOperations: without(all.knownOperations, 'op_refund') }),
  ],
  [
    'payments told of by webhooks answered with a 2xx that are not there',
    (all) => ({ ...all, known: without(all.known, 'pay_told') }),
  ],
  [
    'payments that the same key gave another id',
    (all) => ({ ...all, asked: all.asked.map((one) => ({ ...one, repeated: ['pay_other'] })) }),
  ],
  ['payments charged more than once', (all) => ({ ...all, gateway: changed(all.gateway, 'pay_one', { charges: 2 }) })],
  [
    'refunds made more than once',
    (all) => ({
      ...all,
      gateway: changed(all.gateway, 'pay_one', {
        refunds: ['op_refund', 'op_refund'].map((operation) => ({ operation, amount: 200 })),
      }),
    }),
  ],
  [
    'payments whose status or money is not what the gateway holds',
    (all) => ({ ...all, known: changed(all.known, 'pay_one', { captured: 999 }) }),
  ],
  [
    'payments whose status or money is not what the gateway holds',
    (all) => ({ ...all, known: changed(all.known, 'pay_declined', { status: 'captured' }) }),
  ],
  [
    'payments whose status or money is not what the gateway holds',
    // A payment may expire only while a clock was wrong.
    (all) => ({ ...all, known: changed(all.known, 'pay_declined', { status: 'expired' }) }),
  ],
  [
    'payments told of by webhooks whose money is not what was told',
    (all) => ({ ...all, known: changed(all.known, 'pay_told', { refunded: 1 }) }),
  ],
  [
    'operations that do not stand as the gateway has them',
    (all) => ({ ...all, knownOperations: changed(all.knownOperations, 'op_refund', { status: 'failed' }) }),
  ],
  [
    'receiver: sequences missing',
    (all) => ({ ...all, receivers: all.receivers.map((one) => ({ ...one, missing: [7] })) }),
  ],
  [
    'receiver: payments not told as they were, in order',
    (all) => ({ ...all, receivers: all.receivers.map((one) => ({ ...one, told: { pay_one: ['evt_2', 'evt_1'] } })) }),
  ],
  [
    'receiver: signatures that do not verify',
    (all) => ({ ...all, receivers: all.receivers.map((one) => ({ ...one, forged: 1 })) }),
  ],
  [
    'payments that the stream of events did not tell as they were, in order, once',
    (all) => ({ ...all, followed: new Map([['pay_one', ['evt_1', 'evt_2', 'evt_2']]]) }),
  ],
  [
    'entries that do not lead back to their request',
    (all) => ({ ...all, traced: all.traced.map((one) => ({ ...one, chain: one.chain.slice(0, 1) })) }),
  ],
  ['clients were answered as no promise allows', (all) => ({ ...all, broken: ['a refund was answered with 409'] })],
]

for (const [place, [claim, break_]] of doctored.entries()) {
  test(`the auditor finds, broken as ${place + 1}: ${claim}`, () => {
    const claims = judge(break_(kept())).map((finding) => finding.claim)
    assert.ok(
      claims.some((found) => found.startsWith(`${claim}: `)),
      `found instead: ${claims.join('; ')}`,
    )
  })
}

test('a payment accepted while a clock was an hour off may have expired', () => {
  const evidence = kept()
  const known = changed(evidence.known, 'pay_declined', { status: 'expired' })
  assert.deepEqual(judge({ ...evidence, known, wrongClocks: [{ from: 900, to: 2_000 }] }), [])
})

test('the plan is a function of the seed, and has every kind of fault before it repeats one', () => {
  const about = { seed: 7, minutes: 20, faults: 120, processes: 2 }
  const plan = planOf(about)
  assert.deepEqual(planOf(about), plan)
  assert.notDeepEqual(planOf({ ...about, seed: 8 }), plan)
  assert.equal(plan.length, 120)
  const kinds = (from: number, to: number) => new Set(plan.slice(from, to).map(({ fault }) => fault.kind))
  assert.ok(kinds(0, 14).isSupersetOf(new Set(['process killed', 'PostgreSQL killed', 'disk full', 'clock stepped'])))
  assert.ok(plan.every(({ atMs }, at) => atMs > (plan[at - 1]?.atMs ?? 0) && atMs < 20 * 60_000))
  assert.deepEqual(new Set(planOfDeaths(about).map(({ fault }) => fault.kind)).size, 2)
})

test('a wire cuts, stalls, loses answers and is slow, and is whole again', async (t) => {
  let [asked, over, looks] = [0, 0, 0]
  const server = createServer((_, response) => {
    asked++
    response.writeHead(200, { connection: 'close' }).end('answer')
  })
  server.on('connection', (socket) => socket.on('close', () => over++))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const wire = await openWire(typeof address === 'object' && address ? address.port : 0)
  t.after(async () => {
    await wire.close()
    server.closeAllConnections()
    server.close()
  })
  const ask = (): Promise<string> =>
    fetch(`http://127.0.0.1:${wire.port}`).then(
      (response) => response.text(),
      () => 'no answer',
    )
  const under = async (condition: Condition, work: () => Promise<void>): Promise<void> => {
    wire.become(condition)
    await work()
    wire.become({ kind: 'whole' })
  }

  assert.equal(await ask(), 'answer')
  await under({ kind: 'cut' }, async () => assert.equal(await ask(), 'no answer'))
  assert.equal(asked, 1)
  let waiting = Promise.resolve('')
  await under({ kind: 'stalled' }, async () => {
    waiting = ask()
    await until('it is on its way', () => wire.underWay() === 0 && asked === 1)
  })
  assert.equal(await waiting, 'answer')
  await under({ kind: 'deaf' }, async () => {
    waiting = ask()
    await until('it was answered', () => over === 3 && ++looks === 3)
    assert.equal(wire.underWay(), 1)
  })
  assert.equal(await waiting, 'no answer')
  await under({ kind: 'slow', delayMs: 30 }, async () => assert.equal(await ask(), 'answer'))
  assert.equal(await ask(), 'answer')
  assert.equal(wire.underWay(), 0)
})

/** One payment asked for, captured and refunded; one declined; one told of by webhooks. */
function kept(): Evidence {
  const root = { type: 'payment.requested', traceId: TRACE, hasCause: false }
  const asked = { currency: 'EUR', traceId: TRACE, acceptedAt: 1_000, repeated: [] }
  const held = { currency: 'EUR', charges: 1, status: 'succeeded', captured: 1_000, refunded: 200 }
  const receiver = { name: 'receiver', types: ['payment.captured', 'payment.refunded'], different: 2, highest: 2 }
  return {
    asked: [
      { n: 0, id: 'pay_one', amount: 1_000, ...asked },
      { n: 1, id: 'pay_declined', amount: 500, ...asked },
    ],
    operations: [{ id: 'op_refund', payment: 'pay_one', call: 'refund', amount: 200 }],
    reported: [{ intent: 'pi_told', captured: 700, refunded: 0, traceId: TRACE }],
    gateway: new Map([
      ['pay_one', { reference: 'pay_one', ...held, refunds: [{ operation: 'op_refund', amount: 200 }] }],
      [
        'pay_declined',
        { ...held, reference: 'pay_declined', charges: 0, status: 'none', captured: 0, refunded: 0, refunds: [] },
      ],
    ]),
    known: new Map([
      [
        'pay_one',
        {
          id: 'pay_one',
          isOurs: true,
          status: 'partially_refunded',
          intents: ['pi_one'],
          captured: 1_000,
          refunded: 200,
        },
      ],
      ['pay_declined', { id: 'pay_declined', isOurs: true, status: 'failed', intents: [], captured: 0, refunded: 0 }],
      [
        'pay_told',
        { id: 'pay_told', isOurs: false, status: 'captured', intents: ['pi_told'], captured: 700, refunded: 0 },
      ],
    ]),
    knownOperations: new Map([
      ['op_refund', { id: 'op_refund', payment: 'pay_one', call: 'refund', status: 'succeeded' }],
    ]),
    log: new Map([
      [
        'pay_one',
        [
          { id: 'evt_1', type: 'payment.captured' },
          { id: 'evt_2', type: 'payment.refunded' },
        ],
      ],
    ]),
    receivers: [
      {
        ...receiver,
        repeated: 3,
        changed: 0,
        failed: 1,
        forged: 0,
        missing: [],
        told: { pay_one: ['evt_1', 'evt_2'] },
      },
    ],
    followed: new Map([['pay_one', ['evt_1', 'evt_2']]]),
    traced: [
      {
        entry: 'ent_one',
        payment: 'pay_one',
        traceId: TRACE,
        chain: [{ type: 'payment.captured', traceId: TRACE, hasCause: true }, root],
      },
    ],
    wrongClocks: [],
    broken: [],
    whole: [],
  }
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): Map<string, Value> {
  return new Map([...map].filter(([name]) => name !== key))
}

function changed<Value extends object>(
  map: ReadonlyMap<string, Value>,
  key: string,
  change: Partial<Value>,
): Map<string, Value> {
  return new Map([...map].map(([name, value]) => [name, name === key ? { ...value, ...change } : value]))
}
