import { sign } from '#gateways/stripe'
import type { HttpRequest, HttpResponse } from '#kernel/fetch'
import { type Bank, BankRefusal, createBank, type Done } from '../../../src/gateways/simulated/bank.ts'
import type { Charge, Dispute, Intent, Payout, ProducedEvent, Refund } from '../../../src/gateways/simulated/objects.ts'
import { handleApi } from '../../../src/gateways/simulated/routes.ts'
import { EPOCH_MS } from '../machine.ts'
import { ACCOUNT, type System } from '../system.ts'
import type { World } from '../world.ts'

/** A call for money, with the clock of the process that made it. */
export type MoneyCall = { readonly payment: string; readonly clockMs: number; readonly trueMs: number }

const WEBHOOK_TRIES_MAX = 400
const BEAT_MS = 500

/** The gateway out there: what it did is the truth about the money. Its webhooks are late, repeated and shuffled. */
export class Gateway {
  readonly intents: Intent[] = []
  readonly refunds: Refund[] = []
  readonly disputes: Dispute[] = []
  readonly payouts: Payout[] = []
  readonly calls: MoneyCall[] = []
  webhooksUnderWay = 0
  readonly #world: World<System>
  readonly #bank: Bank
  readonly #answers = new Map<string, HttpResponse | 'never'>()

  constructor(world: World<System>) {
    const { scheduler } = world
    this.#world = world
    const clock = { now: () => EPOCH_MS + scheduler.nowMs, monotonicMs: () => scheduler.nowMs, sleep: async () => {} }
    this.#bank = createBank({ clock, random: scheduler.random, feeBasisPoints: 290 })
  }

  /** An API call: the same key again gets the same answer, and nothing is done. */
  answer({ method, url, body, headers }: HttpRequest, sentAtMs: number): HttpResponse | 'never' {
    const { pathname, searchParams } = new URL(url)
    const input = JSON.parse(body ?? '{}')
    const request = { method, path: pathname, query: searchParams, body: input }
    if (method === 'GET') return responseOf(handleApi(request, this.#bank).first)
    const key = headers['idempotency-key'] ?? ''
    const payment: string | undefined = input.metadata?.millrace_payment
    if (pathname === '/v1/payment_intents' && payment !== undefined) {
      this.calls.push({ payment, clockMs: sentAtMs, trueMs: EPOCH_MS + this.#world.scheduler.nowMs })
    }
    const known = this.#answers.get(key)
    if (known) return known
    const { first, events } = handleApi(request, this.#bank)
    this.intents.push(...this.#bank.intentsOf(payment ?? '').filter((it) => !this.intents.includes(it)))
    this.#send(events)
    const response = responseOf(first)
    this.#answers.set(key, response)
    return response
  }

  /** Something happens at the gateway that nobody here asked for: a refund, a dispute, a capture, a payout. */
  happen(): void {
    try {
      this.#happen()
    } catch (error) {
      if (!(error instanceof BankRefusal)) throw error
    }
  }

  #happen(): void {
    const { scheduler } = this.#world
    const intent = scheduler.pick(this.intents)
    const charge = intent?.latest_charge
    switch (
      scheduler.pick(['refund', 'refund', 'refund', 'dispute', 'close', 'capture', 'cancel', 'payout', 'own'] as const)
    ) {
      case 'refund':
        if (charge) this.#keep(this.refunds, this.#bank.refund(charge.id, 1 + scheduler.below(charge.amount)))
        break
      case 'dispute':
        if (charge) this.#keep(this.disputes, this.#bank.dispute(charge.id))
        break
      case 'close': {
        const dispute = scheduler.pick(this.disputes)
        if (dispute) this.#send(this.#bank.closeDispute(dispute.id, scheduler.pick(['won', 'lost'])).events)
        break
      }
      case 'capture':
        if (intent) this.#send(this.#bank.captureIntent(intent.id).events)
        break
      case 'cancel':
        if (intent) this.#send(this.#bank.cancelIntent(intent.id).events)
        break
      case 'payout': {
        const done = this.#bank.payout(scheduler.pick(['eur', 'usd', 'jpy']))
        if (done) this.#keep(this.payouts, done)
        break
      }
      case 'own':
        this.#keep(this.intents, this.#ownPayment())
    }
  }

  chargeOf(id: string): { charge: Charge; intent: Intent } | undefined {
    const intent = this.intents.find(({ latest_charge }) => latest_charge?.id === id)
    return intent?.latest_charge ? { intent, charge: intent.latest_charge } : undefined
  }

  #ownPayment(): Done<Intent> {
    const about = { captureMethod: 'automatic', confirm: true, paymentMethod: null, metadata: {} } as const
    return this.#bank.createIntent({ ...about, amount: 100 + this.#world.scheduler.below(9_000), currency: 'usd' })
  }

  #keep<Thing>(list: Thing[], { object, events }: Done<Thing>): void {
    list.push(object)
    this.#send(events)
  }

  #send(events: readonly ProducedEvent[]): void {
    const { scheduler } = this.#world
    for (const event of events) {
      const copies = scheduler.chance(0.15) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) void this.#deliver(event)
    }
  }

  async #deliver(event: ProducedEvent): Promise<void> {
    const { scheduler } = this.#world
    this.webhooksUnderWay++
    // On the beat, so that many arrive together: batches of one are dear and find little.
    let waitMs = BEAT_MS - (scheduler.nowMs % BEAT_MS) + BEAT_MS * scheduler.below(4)
    for (let attempt = 0; attempt < WEBHOOK_TRIES_MAX; attempt++) {
      await this.#world.sleep(waitMs, `webhook ${event.type}`)
      if (await this.#post(event)) break
      waitMs = BEAT_MS * (1 + scheduler.below(4))
    }
    this.webhooksUnderWay--
  }

  async #post({ body }: ProducedEvent): Promise<boolean> {
    const world = this.#world
    const target = world.running()
    if (!target) return false
    const bytes = Buffer.from(body)
    const signature = sign(bytes, ACCOUNT.webhookSecrets[0], Math.floor((EPOCH_MS + world.scheduler.nowMs) / 1000))
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01'
    const offer = { gateway: ACCOUNT.gateway, account: ACCOUNT.name, body: bytes, signature, traceparent }
    const answer = target.app.acceptWebhook(offer).then(
      () => true,
      () => false,
    )
    return (await world.within(answer, 2_000, 'webhook times out')) ?? false
  }
}

function responseOf(answer: 'never' | { status: number; body: string }): HttpResponse | 'never' {
  return answer === 'never' ? answer : { status: answer.status, headers: {}, body: answer.body }
}
