import type { Clock } from '#kernel/clock'
import { type HttpFetch, systemFetch } from '#kernel/fetch'
import type { Random } from '#kernel/random'
import type { IntentInput, Limits } from './bank.ts'
import { createIdempotency, idempotencyWindowMs } from './idempotency.ts'
import { listen } from './listen.ts'
import type { Move } from './moves.ts'
import type { Charge, Dispute, Intent, Payout, Refund } from './objects.ts'
import { noScenario, type Scenario } from './scenario.ts'
import { serve } from './serve.ts'
import { createSimulation } from './simulation.ts'
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
  readonly scenario?: Scenario
  readonly deliver?: 'send' | 'hold'
  readonly webhookAttemptsMax?: number
  readonly limits?: Partial<Limits & { readonly events: number; readonly idempotencyKeys: number }>
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
  /** Makes anything else happen, to an object or a payment of ours. @throws BankRefusal */
  move(move: Move, target?: string): void
  /** Sets the gateway's clock forward; what becomes due happens before this returns. */
  advance(ms: number): void
  intentsOf(reference: string): readonly Intent[]
  charge(id: string): Charge | undefined
  /** The settlement file of a payout, as CSV. */
  settlementFile(payout: string): string | undefined
  /** Drops every connection and what is on its way. Safe to repeat. */
  stop(): Promise<void>
}

const feeBasisPointsDefault = 290
const webhookAttemptsMaxDefault = 8
const limitsDefault = { events: 10_000, idempotencyKeys: 50_000 }

const reportedDefaults = { captureMethod: 'automatic', confirm: true, paymentMethod: null, metadata: {} } as const

/** A gateway over real HTTP on loopback, in Stripe's shape, for tests, the demo and a first start. Not for live mode. */
export async function startSimulatedGateway(options: SimulatedGatewayOptions): Promise<SimulatedGateway> {
  const { clock, random, apiKey, feeBasisPoints = feeBasisPointsDefault, scenario = noScenario } = options
  const limits = { ...limitsDefault, ...options.limits }
  const carrier = systemFetch(clock)
  const webhooks = createWebhooks({
    clock,
    fetch: options.fetch ?? carrier.fetch,
    url: options.webhookUrl,
    secret: options.webhookSecret,
    deliver: options.deliver ?? 'send',
    attemptsMax: options.webhookAttemptsMax ?? webhookAttemptsMaxDefault,
    eventsMax: limits.events,
  })
  let url = ''
  const simulation = createSimulation({
    clock,
    random,
    feeBasisPoints,
    scenario,
    limits,
    challengeUrl: (intent) => `${url}/3ds/${intent}`,
    // They go out by themselves; `idle` waits for them.
    announce: (events) => void webhooks.post(events, 'once'),
  })
  const idempotency = createIdempotency(simulation.clock, limits.idempotencyKeys)
  const stopping = new AbortController()
  const originOf = createOrigins(simulation.clock)
  const serving = { clock, apiKey, simulation, idempotency, webhooks, stopping: stopping.signal, originOf }
  const end = async (): Promise<void> => {
    stopping.abort()
    await Promise.all([simulation.stop(), webhooks.stop(), carrier.close()])
  }
  const listening = listen(options.port ?? 0, (request, response) => serve(request, response, serving))
  const listener = await listening.catch(async (error) => {
    await end()
    throw error
  })
  url = listener.url

  const { bank, tell } = simulation
  return {
    url,
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
    move: (move, target) => void simulation.move(move, target),
    advance: simulation.advance,
    intentsOf: bank.intentsOf,
    charge: bank.charge,
    settlementFile: bank.settlement.fileOf,
    release: webhooks.release,
    idle: webhooks.idle,
    events: webhooks.events,
    counts: webhooks.counts,
    async stop() {
      stopping.abort()
      await listener.close()
      await end()
    },
  }
}

/**
 * A request's own: its key, or else its number. When the window of a key is over it may come again, and what is
 * made then needs other names.
 */
function createOrigins(clock: Clock): (key: string | undefined) => string {
  const startedMs = clock.monotonicMs()
  let requests = 0
  return (key) => {
    if (key !== undefined) return `${Math.floor((clock.monotonicMs() - startedMs) / idempotencyWindowMs)} ${key}`
    requests += 1
    return `request ${requests}`
  }
}
