import { writeFile } from 'node:fs/promises'
import { type SimulatedGateway, startSimulatedGateway } from '#gateways/simulated'
import { isObject, type JsonObject, objectAt, textAt, valueAt } from '#gateways/stripe'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'
import { seededRandom } from '#kernel/random'
import type { GatewayPayment, GatewayState } from '../audit/evidence.ts'
import { answer } from '../child.ts'

// The simulated gateway in a process of its own, so that it can be stopped, and so that its books are nobody's but its own.

export type GatewaySide = typeof side

/** More than a run makes: what it forgets, nobody could check. */
const LIMITS = { payments: 1_000_000, settlementLines: 2_000_000, events: 1_000, idempotencyKeys: 1_000_000 }
/** Past it a webhook would be given up; a fault is over long before. */
const WEBHOOK_ATTEMPTS_MAX = 30
const AT_ONCE = 16

const net = systemFetch(systemClock)
let gateway: SimulatedGateway
const begun: string[] = []

const side = {
  async start(about: { seed: number; webhookSecret: string; webhookUrls: readonly string[] }): Promise<number> {
    let turn = 0
    gateway = await startSimulatedGateway({
      clock: systemClock,
      random: seededRandom(about.seed),
      webhookSecret: about.webhookSecret,
      webhookUrl: () => about.webhookUrls[turn++ % about.webhookUrls.length] ?? '',
      webhookAttemptsMax: WEBHOOK_ATTEMPTS_MAX,
      limits: LIMITS,
    })
    return Number(new URL(gateway.url).port)
  },
  /** A payment that begins here: the platform learns of it by webhooks. */
  report({ amount, currency, refund }: { amount: number; currency: string; refund: number | undefined }): void {
    const intent = gateway.reportPayment({ amount, currency: currency.toLowerCase() })
    begun.push(intent.id)
    if (refund !== undefined && intent.latest_charge) gateway.refund(intent.latest_charge.id, refund)
  },
  /** Everything it owes goes to the bank. */
  payOut(currencies: readonly string[]): void {
    for (const currency of currencies) gateway.payout(currency)
  },
  async idle(_: null): Promise<void> {
    await gateway.idle()
  },
  /** What it owes us, by currency, in its units; and how many of its webhooks it gave up. */
  async state(_: null): Promise<GatewayState> {
    const held = objectAt(await read('/control'), 'balances') ?? {}
    const balances = Object.entries(held).map(([currency, amount]) => [currency, Number(amount)] as const)
    return { balances: Object.fromEntries(balances), givenUp: gateway.counts().failed }
  },
  /** Writes what it holds under each of these references, and what began with it, as JSON lines. */
  async dump({ path, references }: { path: string; references: readonly string[] }): Promise<void> {
    const held: GatewayPayment[] = []
    const all = [
      ...references.map((reference) => ({ reference, isOurs: true, address: `/v1/objects?reference=${reference}` })),
      ...begun.map((reference) => ({ reference, isOurs: false, address: `/v1/payment_intents/${reference}` })),
    ]
    let next = 0
    const reader = async (): Promise<void> => {
      for (let one = all[next++]; one !== undefined; one = all[next++]) {
        held.push(paymentOf(one.reference, objectsIn(await read(one.address)), one.isOurs))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, reader))
    await writeFile(path, held.map((one) => JSON.stringify(one)).join('\n'))
  },
}

async function read(path: string): Promise<JsonObject> {
  const request = { method: 'GET', url: `${gateway.url}${path}`, headers: {}, timeoutMs: 60_000 }
  const answered: unknown = JSON.parse((await net.fetch(request)).body)
  return isObject(answered) ? answered : {}
}

function objectsIn(answered: JsonObject): JsonObject[] {
  const data = valueAt(answered, 'data')
  return Array.isArray(data) ? data.filter(isObject) : [answered]
}

/** What was given back of ours is the sum of refunds: a charge counts what was released by a partial capture too. */
function paymentOf(reference: string, objects: readonly JsonObject[], isOurs: boolean): GatewayPayment {
  const kind = (name: string): JsonObject[] => objects.filter((object) => textAt(object, 'object') === name)
  const intents = kind('payment_intent')
  const charges = intents.map((intent) => objectAt(intent, 'latest_charge')).filter((charge) => charge !== undefined)
  const taken = charges.filter((charge) => valueAt(charge, 'captured') === true)
  return {
    reference,
    // A declined attempt takes nothing: it is money held or taken that must be there once.
    charges: charges.filter((charge) => textAt(charge, 'status') === 'succeeded').length,
    status: intents.map((intent) => textAt(intent, 'status') ?? '')[0] ?? 'none',
    currency: (textAt(intents[0] ?? {}, 'currency') ?? '').toUpperCase(),
    captured: sumOf(taken, 'amount_captured'),
    refunded: isOurs ? sumOf(kind('refund'), 'amount') : sumOf(taken, 'amount_refunded'),
    refunds: kind('refund').map((refund) => ({
      operation: textAt(objectAt(refund, 'metadata') ?? {}, 'millrace_operation') ?? '',
      amount: Number(valueAt(refund, 'amount')),
    })),
  }
}

function sumOf(objects: readonly JsonObject[], name: string): number {
  return objects.reduce((sum, object) => sum + Number(valueAt(object, name) ?? 0), 0)
}

answer(side)
