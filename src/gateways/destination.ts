import type { Delivery, Destination, Outcome } from '#delivery'
import { createSimulatedClient, type GatewayOutcome, type SimulatedClient } from '#gateways/simulated'
import type { HttpFetch } from '#kernel/fetch'
import { invariant, unreachable } from '#kernel/invariant'
import type { Seal } from '#kernel/seal'
import { follow, type NewEvent } from '#log'
import type { GatewayAccount } from './account.ts'
import { type Authorize, type GatewayCall, isGatewayCall } from './call.ts'
import { callAnswered, type ObjectReport } from './events.ts'

/** The gateway answers the same to the same idempotency key for this long; past it, it is only asked. */
const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000
const CALL_TIMEOUT_MS = 10_000
const CONCURRENCY = 256

/** `asked`: nothing was sent, the gateway was asked what it holds. That it answered does not say that it was done. */
type Settled = (GatewayOutcome & { readonly asked: boolean }) | { readonly outcome: 'expired'; readonly asked: false }

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
      answer(
        account,
        delivery,
        outcome.kind === 'done' ? (outcome.result as Settled) : { outcome: 'expired', asked: false },
      ),
    ],
  }
}

async function attempt(
  client: SimulatedClient,
  ports: GatewayPorts,
  delivery: Delivery,
  kind: 'send' | 'ask',
): Promise<Outcome> {
  const payload = callOf(delivery)
  const asked = kind === 'ask' || payload.call === 'find'
  const outcome = asked ? await client.find(payload.payment) : await send(client, ports, payload, delivery.cause.tenant)
  if (outcome.outcome !== 'unreachable') return { kind: 'done', result: { ...outcome, asked } }
  const { retryAfterMs } = outcome
  return { kind: 'retry', reason: 'unreachable', ...(retryAfterMs === undefined ? {} : { afterMs: retryAfterMs }) }
}

function send(
  client: SimulatedClient,
  ports: GatewayPorts,
  call: Exclude<GatewayCall, { call: 'find' }>,
  tenant: string,
): Promise<GatewayOutcome> {
  const about = { paymentId: call.payment, operationId: call.operation, timeoutMs: CALL_TIMEOUT_MS }
  switch (call.call) {
    case 'authorize':
      return authorize(client, ports, call, tenant)
    case 'cancel':
      return client.cancel({ ...about, objectId: call.object })
    case 'capture':
      return client.capture({ ...about, objectId: call.object, amountMinor: call.amount, currency: call.currency })
    case 'refund':
      return client.refund({ ...about, objectId: call.object, amountMinor: call.amount, currency: call.currency })
    default:
      return unreachable(call)
  }
}

async function authorize(
  client: SimulatedClient,
  { seal, paymentMethodContext }: GatewayPorts,
  { operation, payment, amount, currency, captureMode, paymentMethod }: Authorize,
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
  const { call, operation, payment } = callOf(delivery)
  invariant(settled.outcome !== 'unreachable', 'an unreachable gateway is tried again')
  const { outcome, asked } = settled
  const reports = 'reports' in settled ? settled.reports : []
  const data = {
    gateway: account.gateway,
    account: account.name,
    merchant: account.merchant,
    call: asked ? ('find' as const) : call,
    operation,
    outcome,
    ...('code' in settled ? { code: settled.code } : {}),
    reports: call === 'refund' && !asked ? reports.map((report) => ours(report, operation)) : reports,
  }
  return follow(delivery.cause, callAnswered, data, { key: payment, part: delivery.id })
}

/** The refund in the answer to a refund is that one, also at a gateway that carries nothing for us. */
function ours(report: ObjectReport, operation: string): ObjectReport {
  return report.kind === 'refund' ? { ...report, operation } : report
}

function callOf({ payload }: Delivery): GatewayCall {
  invariant(isGatewayCall(payload), 'a gateway call is one this module knows')
  return payload
}
