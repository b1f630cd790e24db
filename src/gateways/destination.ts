import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Delivery, Destination, Outcome } from '#delivery'
import { createSimulatedClient, type GatewayOutcome, type SimulatedClient } from '#gateways/simulated'
import type { HttpFetch } from '#kernel/fetch'
import { invariant } from '#kernel/invariant'
import type { Seal } from '#kernel/seal'
import { follow, type NewEvent } from '#log'
import type { GatewayAccount } from './account.ts'
import { callAnswered } from './events.ts'

/** The gateway answers the same to the same idempotency key for this long; past it, it is only asked. */
const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000
const CALL_TIMEOUT_MS = 10_000
const CONCURRENCY = 32

/** What `payments` asks of a gateway account. */
const Authorize = Type.Object({
  call: Type.Literal('authorize'),
  operation: Type.String(),
  payment: Type.String(),
  amount: Type.Integer({ minimum: 1 }),
  currency: Type.String(),
  captureMode: Type.Union([Type.Literal('automatic'), Type.Literal('manual')]),
  /** Sealed. */
  paymentMethod: Type.String(),
})
const Find = Type.Object({ call: Type.Literal('find'), operation: Type.String(), payment: Type.String() })
const call = Compile(Type.Union([Authorize, Find]))

type Settled = GatewayOutcome | { readonly outcome: 'expired' }

export type GatewayPorts = {
  readonly seal: Seal
  readonly fetch: HttpFetch
  /** The context under which whoever sealed a payment method sealed it. */
  paymentMethodContext(tenant: string): string
}

/** Where calls to a gateway account go. The account must have an address. */
export function gatewayDestination(account: GatewayAccount, ports: GatewayPorts): Destination {
  const { seal, fetch } = ports
  const { url, apiKey = '' } = account
  invariant(url !== undefined, 'an account that is called has an address')
  const digest = (id: string): string => seal.digest('gateway-object', account.tenant, account.name, id)
  const client = createSimulatedClient({ url, apiKey, fetch, digest })
  return {
    name: `gateway:${account.name}`,
    idempotency: { kind: 'window', windowMs: IDEMPOTENCY_WINDOW_MS },
    concurrency: CONCURRENCY,
    attempt: (delivery, kind) => attempt(client, ports, delivery, kind),
    settle: (delivery, outcome) => [
      answer(account, delivery, outcome.kind === 'done' ? (outcome.result as Settled) : { outcome: 'expired' }),
    ],
  }
}

async function attempt(
  client: SimulatedClient,
  ports: GatewayPorts,
  delivery: Delivery,
  kind: 'send' | 'ask',
): Promise<Outcome> {
  const { payload, cause } = delivery
  invariant(call.Check(payload), 'a gateway call is one this module knows')
  const outcome =
    kind === 'ask' || payload.call === 'find'
      ? await client.find(payload.payment)
      : await authorize(client, ports, payload, cause.tenant)
  return outcome.outcome === 'unreachable'
    ? { kind: 'retry', reason: 'unreachable' }
    : { kind: 'done', result: outcome }
}

async function authorize(
  client: SimulatedClient,
  { seal, paymentMethodContext }: GatewayPorts,
  { operation, payment, amount, currency, captureMode, paymentMethod }: Type.Static<typeof Authorize>,
  tenant: string,
): Promise<GatewayOutcome> {
  const [token] = await seal.open([paymentMethod], paymentMethodContext(tenant))
  // The person was erased before the payment was executed: there is nothing left to charge.
  if (!token) return { outcome: 'refused', code: 'payment_method_erased' }
  return client.authorize({
    paymentId: payment,
    operationId: operation,
    amountMinor: amount,
    currency,
    captureMode,
    paymentMethod: token.toString('utf8'),
    timeoutMs: CALL_TIMEOUT_MS,
  })
}

function answer(account: GatewayAccount, delivery: Delivery, settled: Settled): NewEvent {
  const { payload } = delivery
  invariant(call.Check(payload), 'a gateway call is one this module knows')
  invariant(settled.outcome !== 'unreachable', 'an unreachable gateway is tried again')
  const data = {
    gateway: account.gateway,
    account: account.name,
    merchant: account.merchant,
    call: payload.call,
    operation: payload.operation,
    outcome: settled.outcome,
    ...('code' in settled ? { code: settled.code } : {}),
    reports: 'reports' in settled ? settled.reports : [],
  }
  return follow(delivery.cause, callAnswered, data, { key: payload.payment, part: delivery.id })
}
