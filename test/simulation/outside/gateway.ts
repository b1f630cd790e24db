import { sign } from '#gateways/stripe'
import type { HttpRequest, HttpResponse } from '#kernel/fetch'
import { type Bank, BankRefusal, createBank, type Done } from '../../../src/gateways/simulated/bank.ts'
import type { Folder } from '../../../src/gateways/simulated/folders.ts'
import type { Charge, Dispute, Intent, Payout, ProducedEvent, Refund } from '../../../src/gateways/simulated/objects.ts'
import { type ApiResult, handleApi } from '../../../src/gateways/simulated/routes.ts'
import { EPOCH_MS } from '../machine.ts'
import { ACCOUNT, type System } from '../system.ts'
import type { World } from '../world.ts'
import type { Wish } from './operations.ts'

/** A call for money, with the clock of the process that made it. */
export type MoneyCall = { readonly payment: string; readonly clockMs: number; readonly trueMs: number }

/** A capture, cancellation or refund as the gateway met it: done, not noticed at all, or refused with a code. */
export type OperationCall = {
  /** Its idempotency key. */
  readonly operation: string
  readonly call: Wish['call']
  readonly intent: Intent | undefined
  readonly isDone: boolean
  readonly refusal: string | undefined
}

const WEBHOOK_TRIES_MAX = 400
const BEAT_MS = 500
const HAPPENINGS = [
  'refund',
  'refund',
  'refund',
  'dispute',
  'close',
  'capture',
  'capture',
  'cancel',
  'fail_refund',
  'payout',
  'own',
] as const

/** The gateway out there: what it did is the truth about the money. Its webhooks are late, repeated and shuffled. */
export class Gateway {
  readonly intents: Intent[] = []
  readonly refunds: Refund[] = []
  readonly disputes: Dispute[] = []
  readonly payouts: Payout[] = []
  readonly calls: MoneyCall[] = []
  readonly operations: OperationCall[] = []
  /** Intents with which something was done here that nobody asked for. */
  readonly meddledWith = new Set<Intent>()
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
    const result = handleApi(request, this.#bank)
    const folder = this.#bank.folder(result.object ?? aboutOf(pathname, input))
    if (folder) this.#file(folder)
    const call = callOf(pathname)
    if (call) this.operations.push({ ...effectOf(result), operation: key, call, intent: folder?.intent })
    this.#send(result.events)
    this.#answers.set(key, responseOf(result.answer))
    return responseOf(result.first)
  }

  #file({ intent, refunds }: Folder): void {
    if (!this.intents.includes(intent)) this.intents.push(intent)
    this.refunds.push(...refunds.filter((refund) => !this.refunds.includes(refund)))
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
    const happening = scheduler.pick(HAPPENINGS)
    const isOfHold = happening === 'capture' || happening === 'cancel'
    const intent = scheduler.pick(isOfHold ? this.intents.filter(isHeld) : this.intents)
    const charge = intent?.latest_charge
    switch (happening) {
      case 'refund':
        if (intent && charge) {
          this.#keep(this.refunds, this.#bank.refund(charge.id, 1 + scheduler.below(charge.amount)))
          this.meddledWith.add(intent)
        }
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
      case 'cancel':
        if (intent) {
          const end = happening === 'capture' ? this.#bank.captureIntent : this.#bank.cancelIntent
          this.#send(end(intent.id).events)
          this.meddledWith.add(intent)
        }
        break
      case 'fail_refund': {
        const refund = scheduler.pick(this.refunds)
        if (refund) this.#send(this.#bank.failRefund(refund.id).events)
        break
      }
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

function isHeld({ status }: Intent): boolean {
  return status === 'requires_capture'
}

function callOf(path: string): OperationCall['call'] | undefined {
  const [, verb] = /\/(capture|cancel|refund)s?$/.exec(path) ?? []
  return verb === 'capture' || verb === 'cancel' || verb === 'refund' ? verb : undefined
}

/** What a call is about: an intent in its address, or a charge. */
function aboutOf(path: string, input: { readonly charge?: string }): string {
  return input.charge ?? path.split('/')[3] ?? ''
}

function effectOf({ object, answer }: ApiResult): Pick<OperationCall, 'isDone' | 'refusal'> {
  const isRefused = answer !== 'never' && answer.status >= 400 && answer.status < 500
  return { isDone: object !== undefined, refusal: isRefused ? String(JSON.parse(answer.body).error.code) : undefined }
}
