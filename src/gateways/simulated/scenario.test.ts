import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handClock, openSimulatedGateway, rule } from '#harness/simulated-gateway'
import { UsageError } from '#kernel/errors'
import { seededRandom } from '#kernel/random'
import { approve } from './behaviour.ts'
import { createFates, type Subject } from './fates.ts'
import { parseScenario } from './scenario.ts'

const subject: Subject = {
  call: 'authorize',
  amount: 1500,
  currency: 'eur',
  paymentMethod: 'pm_card_visa',
  origin: 'k',
}

function fatesOf(rules: readonly object[], seed = 1) {
  const scenario = parseScenario(JSON.stringify({ rules }), 'the test')
  return createFates({ clock: handClock().clock, random: seededRandom(seed), scenario })
}

const declining = (when: object = {}) => rule(when, { behaviour: 'decline_lost_card' })

for (const [text, line] of [
  ['{"rules":[', /^s\.json must be JSON: /],
  ['[]', /^s\.json must be an object with rules\.$/],
  ['{}', /^rules in s\.json must be a list of up to 200 rules\.$/],
  ['{"rules":{}}', /^rules in s\.json must be a list/],
  ['{"rules":[{}]}', /^rules\.0\.then in s\.json must be an object that says what happens\.$/],
  [
    '{"rules":[{"when":{"amont":3},"then":{}}]}',
    /^rules\.0\.when\.amont in s\.json is not a setting\. Did you mean amount\?$/,
  ],
  ['{"rules":[{"when":{"amount":"3"},"then":{}}]}', /^rules\.0\.when\.amount in s\.json must be a whole number/],
  [
    '{"rules":[{"when":{"probability":2},"then":{}}]}',
    /^rules\.0\.when\.probability in s\.json must be a number from 0/,
  ],
  [
    '{"rules":[{"when":{"call":"pay"},"then":{}}]}',
    /^rules\.0\.when\.call in s\.json must be one of authorize, capture/,
  ],
  [
    '{"rules":[{"then":{"behaviour":"dispute"}}]}',
    /^rules\.0\.then\.behaviour in s\.json must be the name of a behaviour/,
  ],
  ['{"rules":[{"then":{"behaviour":"fails"}}]}', /^rules\.0\.then\.behaviour in s\.json .* for authorize/],
  [
    '{"rules":[{"then":{"follow_ups":[{"after_ms":1,"do":"explode"}]}}]}',
    /^rules\.0\.then\.follow_ups\.0\.do in s\.json must be one of open_dispute/,
  ],
  ['{"rules":[],"payouts":{"every_ms":1}}', /^payouts\.every_ms in s\.json must be milliseconds from 1000\.$/],
] as const) {
  test(`a scenario is refused in one line: ${text}`, () => {
    assert.throws(
      () => parseScenario(text, 's.json'),
      (error) => error instanceof UsageError && line.test(error.message) && !error.message.includes('\n'),
    )
  })
}

for (const [when, isMeant] of [
  [{}, true],
  [{ call: 'refund' }, false],
  [{ amount: 1500 }, true],
  [{ amount: 1501 }, false],
  [{ amount_from: 1500, amount_to: 1500 }, true],
  [{ amount_from: 1501 }, false],
  [{ amount_to: 1499 }, false],
  [{ currency: 'EUR' }, true],
  [{ currency: 'usd' }, false],
  [{ payment_method: 'pm_card_visa' }, true],
  [{ payment_method: 'pm_card_*' }, true],
  [{ payment_method: 'pm_card' }, false],
  [{ probability: 1 }, true],
  [{ probability: 0 }, false],
  [{ nth: 1 }, true],
  [{ nth: 2 }, false],
] as const) {
  test(`a rule for ${JSON.stringify(when)} is ${isMeant ? '' : 'not '}about the call`, () => {
    const behaviour = fatesOf([declining(when)])(subject)
    assert.deepEqual(behaviour.bank, isMeant ? { declines: 'lost_card' } : 'approve')
  })
}

test('the first rule that fits decides, alone; a rule comes before payment method and amount', () => {
  const fates = fatesOf([declining({ amount: 1 }), rule({}, { wait_ms: 5 }), declining()])
  assert.deepEqual(fates({ ...subject, paymentMethod: 'pm_sim_decline' }), { ...approve, waitMs: 5 })
})

test('every third call, and the second that fits', () => {
  const every = fatesOf([declining({ every: 3 })])
  const second = fatesOf([declining({ nth: 2, currency: 'usd' })])
  const isDeclined = (fates: typeof every, about: Partial<Subject> = {}) =>
    fates({ ...subject, ...about }).bank !== 'approve'
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => isDeclined(every)),
    [false, false, true, false, false, true],
  )
  const currencies = ['usd', 'eur', 'usd', 'usd']
  assert.deepEqual(
    currencies.map((currency) => isDeclined(second, { currency })),
    [false, false, true, false],
  )
})

test('chance is as often as it says, and the same for the same call in whatever order', () => {
  const rules = [declining({ probability: 0.3 })]
  const calls = Array.from({ length: 1000 }, (_, place) => ({ ...subject, origin: `k${place}` }))
  const declined = (order: readonly Subject[], seed: number): string[] => {
    const fates = fatesOf(rules, seed)
    return order.flatMap((call) => (fates(call).bank === 'approve' ? [] : [call.origin ?? ''])).sort()
  }
  const first = declined(calls, 1)
  assert.ok(first.length > 250 && first.length < 350, String(first.length))
  assert.deepEqual(declined(calls.toReversed(), 1), first)
  assert.notDeepEqual(declined(calls, 2), first)
})

test('what follows a call goes through the stages of a dispute, each at its time', async (t) => {
  const { clock } = handClock()
  const { gateway, call } = await openSimulatedGateway(t, {
    clock,
    rules: [
      rule(
        { payment_method: 'pm_card_*' },
        {
          follow_ups: [
            { after_ms: 1000, do: 'open_dispute', amount: 500, reason: 'product_not_received', inquiry: true },
            { after_ms: 2000, do: 'escalate_dispute' },
            { after_ms: 3000, do: 'respond_dispute' },
            { after_ms: 4000, do: 'lose_dispute' },
            { after_ms: 5000, do: 'win_dispute' },
          ],
        },
      ),
    ],
  })
  const about = { amount: 1500, currency: 'eur', confirm: true, payment_method: 'pm_card_visa' }
  const { body } = await call('POST', '/v1/payment_intents', about)
  const told = gateway.events().length
  gateway.advance(60_000)
  const since = gateway.events().slice(told)
  const startSeconds = body.created
  assert.deepEqual(
    since.map(({ type, body: text }) => {
      const { created, data } = JSON.parse(text)
      return `${created - startSeconds} ${type} ${data.object.status} ${data.object.balance_transactions.length}`
    }),
    [
      '1 charge.dispute.created warning_needs_response 0',
      '2 charge.dispute.updated needs_response 0',
      '2 charge.dispute.funds_withdrawn needs_response 1',
      '3 charge.dispute.updated under_review 1',
      '4 charge.dispute.closed lost 1',
    ],
  )
  assert.deepEqual((await call('GET', '/control')).body.follow_ups, { waiting: 1, impossible: 1 })
})
