import { randomBytes } from 'node:crypto'
import { isObject, sign, textAt } from '#gateways/stripe'
import { chargeObject, refundObject, type StripeEvent, stripeEvent } from '#harness/stripe-events'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import type { Answered, Client } from './client.ts'
import type { Journal } from './journal.ts'
import { type AskedStory, type ReportedStory, traceIdOf } from './story.ts'

/** What must be found nowhere in clear: part of what a tenth of the payments carry. */
export const CANARY = 'Quistgaardine'

export const SHOP_SECRET = 'whsec_chaos_shop'

export type Merchant = {
  /** Lives the story to its end. Rejects with GaveUp. */
  live(story: AskedStory | ReportedStory): Promise<void>
}

/** Merchants spread the load, as they would. */
const MERCHANTS = 40
/** Once it is decided, or the time is up; then it is asked for. */
const PREFER = 'wait=5'
const POLL_MS = 500
/** A payment whose fate the gateway left open takes minutes; nobody waits for it with something to do afterwards. */
const DECIDED_WITHIN_MS = 90_000

export function openMerchant(about: {
  readonly seed: number
  readonly client: Client
  readonly journal: Journal
  readonly apiKey: string
}): Merchant {
  const { seed, client, journal, apiKey } = about

  const headersOf = (n: number): Record<string, string> => ({
    authorization: `Bearer ${apiKey}`,
    traceparent: `00-${traceIdOf(seed, n)}-${randomBytes(8).toString('hex')}-01`,
  })
  const post = (path: string, n: number, key: string, body: object): Promise<Answered> => {
    const headers = { ...headersOf(n), 'content-type': 'application/json', 'idempotency-key': key, prefer: PREFER }
    return client.ask({ method: 'POST', path, headers, body: JSON.stringify(body) })
  }

  const request = async (story: AskedStory): Promise<{ id: string; status: string } | undefined> => {
    const { n, key, amount, currency } = story
    const answer = await post('/v1/payments', n, key, bodyOf(story))
    const shown = objectIn(answer)
    const id = textAt(shown, 'id')
    if (answer.status >= 300 || id === undefined) {
      journal.broke(`payment ${n} was answered with ${answer.status}: ${answer.body.slice(0, 300)}`)
      return undefined
    }
    journal.asked({ n, id, amount, currency, traceId: traceIdOf(seed, n) })
    return { id, status: textAt(shown, 'status') ?? 'pending' }
  }

  /** The status once the payment is decided; undefined where that takes too long. */
  const decided = async (id: string, n: number, known: string): Promise<string | undefined> => {
    let status = known
    const deadline = systemClock.monotonicMs() + DECIDED_WITHIN_MS
    while (status === 'pending' || status === 'unknown') {
      if (systemClock.monotonicMs() > deadline) return undefined
      await systemClock.sleep(POLL_MS)
      const answer = await client.ask({ method: 'GET', path: `/v1/payments/${id}`, headers: headersOf(n) })
      status = textAt(objectIn(answer), 'status') ?? 'pending'
    }
    return status
  }

  const operate = async (
    payment: string,
    call: 'capture' | 'cancel' | 'refund',
    about: { n: number; key: string; amount: number | undefined },
  ): Promise<void> => {
    const { n, key, amount } = about
    const path = `/v1/payments/${payment}/${call === 'refund' ? 'refunds' : call}`
    const body = amount === undefined ? {} : { amount }
    let answer = await post(path, n, key, body)
    const deadline = systemClock.monotonicMs() + DECIDED_WITHIN_MS
    // A refund that the gateway tells of, and has not named yet, may be the one under way: until it is known nothing is promised.
    while (isUnderWay(answer) && systemClock.monotonicMs() < deadline) {
      journal.postponed()
      await systemClock.sleep(POLL_MS)
      answer = await post(path, n, key, body)
    }
    const id = textAt(objectIn(answer), 'id')
    if (answer.status < 300 && id !== undefined) journal.operation({ id, payment, call, amount })
    else journal.broke(`${call} of ${payment} was answered with ${answer.status}: ${answer.body.slice(0, 300)}`)
  }

  const ask = async (story: AskedStory): Promise<void> => {
    const { n, key, amount, isRepeated, end, refunds } = story
    const [made] = await Promise.all([request(story), ...(isRepeated ? [request(story)] : [])])
    if (!made || (end === undefined && refunds.length === 0)) return
    const status = await decided(made.id, n, made.status)
    if (end !== undefined && status === 'authorized') {
      const part = end === 'capture_part' ? Math.ceil(amount / 2) : undefined
      await operate(made.id, end === 'cancel' ? 'cancel' : 'capture', { n, key: `${key}-end`, amount: part })
    }
    if (status !== 'captured') return
    for (const [place, part] of refunds.entries()) {
      await operate(made.id, 'refund', { n, key: `${key}-refund-${place}`, amount: part })
    }
  }

  const report = async (story: ReportedStory): Promise<void> => {
    const { n, name, amount, refunds } = story
    for (const event of webhooksOf(seed, story)) {
      const body = Buffer.from(JSON.stringify(event))
      await client.ask({
        method: 'POST',
        path: '/v1/gateways/stripe/shop/webhooks',
        headers: { ...headersOf(n), authorization: '', 'content-type': 'application/json' },
        body,
        sign: () => ({ 'stripe-signature': sign(body, SHOP_SECRET, Math.floor(systemClock.now() / 1000)) }),
        isStubborn: true,
      })
      journal.accepted()
    }
    const refunded = refunds.reduce((sum, part) => sum + part, 0)
    journal.reported({ intent: `pi_${name}`, captured: amount, refunded, traceId: traceIdOf(seed, n) })
  }

  return { live: (story) => (story.kind === 'asked' ? ask(story) : report(story)) }
}

function bodyOf({ n, amount, currency, method, isManual }: AskedStory): object {
  const personal = n % 10 === 0 ? { customer: `${CANARY}-${n}@canary.example`, description: `For ${CANARY}` } : {}
  return {
    amount,
    currency,
    merchant: `mer_chaos${n % MERCHANTS}`,
    payment_method: `pm_sim_${method}`,
    ...(isManual ? { capture_mode: 'manual' } : {}),
    ...personal,
  }
}

/** What a gateway says of a payment that began there, in the order in which it says it: hardly ever the right one. */
function webhooksOf(seed: number, { n, name, amount, refunds, isShuffled, isRepeated }: ReportedStory): StripeEvent[] {
  const charge = stripeEvent('charge.succeeded', chargeObject(name, { amount }), { id: `evt_${name}_charge` })
  const back = refunds.map((part, place) =>
    stripeEvent('refund.created', refundObject(name, `r${place}`, part), { id: `evt_${name}_refund_${place}` }),
  )
  const events = isRepeated ? [charge, ...back, charge, ...back] : [charge, ...back]
  const random = seededRandom(BigInt(seed) * 7n + BigInt(n))
  const places = new Map(events.map((event) => [event, random.unit()]))
  return isShuffled ? events.toSorted((one, other) => (places.get(one) ?? 0) - (places.get(other) ?? 0)) : events
}

function objectIn({ body }: Answered): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function isUnderWay(answer: Answered): boolean {
  const problem = objectIn(answer)
  return (
    textAt(problem, 'code') === 'payment_state_invalid' &&
    /refund of it is under way/.test(textAt(problem, 'detail') ?? '')
  )
}
