import type { Clock } from '#kernel/clock'
import { type HttpFetch, systemFetch } from '#kernel/fetch'
import type { Random } from '#kernel/random'
import { createBank, type Done, type IntentInput } from './bank.ts'
import { createIdempotency } from './idempotency.ts'
import { listen } from './listen.ts'
import type { Charge, Dispute, Intent, Payout, Refund } from './objects.ts'
import { serve } from './serve.ts'
import { createWebhooks, type WebhookOptions, type Webhooks } from './webhooks.ts'

export type SimulatedGatewayOptions = {
  readonly clock: Clock
  readonly random: Random
  /** 0, the default, takes a free port. */
  readonly port?: number
  readonly webhookUrl: WebhookOptions['url']
  readonly webhookSecret: string
  /** Asked of every request where set. */
  readonly apiKey?: string
  readonly feeBasisPoints?: number
  readonly deliver?: 'send' | 'hold'
  readonly webhookAttemptsMax?: number
  /** What carries the webhooks; real HTTP by default. */
  readonly fetch?: HttpFetch
}

/** A payment that starts at the gateway, unknown to us until its webhooks come. Amounts in Stripe's units. */
export type ReportedPayment = Pick<IntentInput, 'amount' | 'currency'> & Partial<IntentInput>

export type SimulatedGateway = Pick<Webhooks, 'release' | 'idle' | 'events' | 'counts'> & {
  readonly url: string
  reportPayment(payment: ReportedPayment): Intent
  capture(intent: string, amount?: number): Intent
  cancel(intent: string): Intent
  refund(charge: string, amount?: number): Refund
  dispute(charge: string, amount?: number): Dispute
  winDispute(dispute: string): Dispute
  loseDispute(dispute: string): Dispute
  payout(currency: string): Payout | undefined
  intentsOf(reference: string): readonly Intent[]
  charge(id: string): Charge | undefined
  /** Drops every connection and what is on its way. Safe to repeat. */
  stop(): Promise<void>
}

const feeBasisPointsDefault = 290
const webhookAttemptsMaxDefault = 8

const reportedDefaults = { captureMethod: 'automatic', confirm: true, paymentMethod: null, metadata: {} } as const

/** A gateway over real HTTP on loopback, in Stripe's shape, for tests, the demo and a first start. Not for live mode. */
export async function startSimulatedGateway(options: SimulatedGatewayOptions): Promise<SimulatedGateway> {
  const { clock, random, feeBasisPoints = feeBasisPointsDefault } = options
  const carrier = systemFetch(clock)
  const webhooks = createWebhooks({
    clock,
    fetch: options.fetch ?? carrier.fetch,
    url: options.webhookUrl,
    secret: options.webhookSecret,
    deliver: options.deliver ?? 'send',
    attemptsMax: options.webhookAttemptsMax ?? webhookAttemptsMaxDefault,
  })
  const bank = createBank({ clock, random, feeBasisPoints })
  const idempotency = createIdempotency(clock)
  const stopping = new AbortController()
  const listener = await listen(options.port ?? 0, (request, response) =>
    serve(request, response, { clock, apiKey: options.apiKey, bank, idempotency, webhooks, stopping: stopping.signal }),
  )

  /** Webhooks go out by themselves; `idle` waits for them. */
  const tell = <Thing>({ object, events }: Done<Thing>): Thing => {
    void webhooks.post(events, 1)
    return object
  }
  return {
    url: listener.url,
    reportPayment: (payment) => tell(bank.createIntent({ ...reportedDefaults, ...payment })),
    capture: (intent, amount) => tell(bank.captureIntent(intent, amount)),
    cancel: (intent) => tell(bank.cancelIntent(intent)),
    refund: (charge, amount) => tell(bank.refund(charge, amount)),
    dispute: (charge, amount) => tell(bank.dispute(charge, amount)),
    winDispute: (dispute) => tell(bank.closeDispute(dispute, 'won')),
    loseDispute: (dispute) => tell(bank.closeDispute(dispute, 'lost')),
    payout(currency) {
      const done = bank.payout(currency.toLowerCase())
      return done === undefined ? undefined : tell(done)
    },
    intentsOf: bank.intentsOf,
    charge: bank.charge,
    release: webhooks.release,
    idle: webhooks.idle,
    events: webhooks.events,
    counts: webhooks.counts,
    async stop() {
      stopping.abort()
      await listener.close()
      await Promise.all([webhooks.stop(), carrier.close()])
    },
  }
}
