import type { AskedPayment, Evidence, Finding, GatewayPayment, KnownPayment } from './evidence.ts'
import { found } from './found.ts'
import { judgeTold } from './told.ts'

/** Every promise against the evidence; empty when all were kept. */
export function judge(evidence: Evidence): Finding[] {
  return [
    ...accepted(evidence),
    ...once(evidence),
    ...rightly(evidence),
    ...reportedRightly(evidence),
    ...operationsDone(evidence),
    ...judgeTold(evidence),
    ...traceable(evidence),
    ...found('Answers', 'clients were answered as no promise allows', evidence.broken),
    ...evidence.whole,
  ]
}

function accepted({ asked, operations, reported, known, knownOperations }: Evidence): Finding[] {
  const placed = new Set([...known.values()].flatMap(({ intents }) => intents))
  return [
    ...found(
      'Accepted is durable',
      'payments answered with a 2xx that are not there',
      asked
        .filter(({ id }) => !known.has(id))
        .map(({ id, n, acceptedAt }) => `${id}, payment ${n}, accepted ${at(acceptedAt)}`),
    ),
    ...found(
      'Accepted is durable',
      'captures, cancellations and refunds answered with a 2xx that are not there',
      operations
        .filter(({ id }) => !knownOperations.has(id))
        .map(({ id, call, payment }) => `${id}, ${call} of ${payment}`),
    ),
    ...found(
      'Accepted is durable',
      'payments told of by webhooks answered with a 2xx that are not there',
      reported.filter(({ intent }) => !placed.has(intent)).map(({ intent }) => intent),
    ),
    ...found(
      'Once',
      'payments that the same key gave another id',
      asked
        .filter(({ id, repeated }) => repeated.some((other) => other !== id))
        .map(({ id, repeated }) => `${id}: ${repeated.join()}`),
    ),
  ]
}

/** By the gateway's own books. */
function once({ gateway }: Evidence): Finding[] {
  const all = [...gateway.values()]
  return [
    ...found(
      'Once',
      'payments charged more than once',
      all.filter(({ charges }) => charges > 1).map(({ reference, charges }) => `${reference}: ${charges} times`),
    ),
    ...found('Once', 'refunds made more than once', all.flatMap(refundedTwice)),
  ]
}

function refundedTwice({ reference, refunds }: GatewayPayment): string[] {
  const ours = refunds.map(({ operation }) => operation).filter((operation) => operation !== '')
  return [...new Set(ours.filter((operation, place) => ours.indexOf(operation) !== place))].map(
    (operation) => `${operation} of ${reference}`,
  )
}

/** Status and money of every payment, asked for or not, as the gateway's books demand. */
function rightly(evidence: Evidence): Finding[] {
  const { asked, gateway, known } = evidence
  const askedById = new Map(asked.map((payment) => [payment.id, payment]))
  const wrong = [...gateway.values()].flatMap((held) => {
    const payment = known.get(held.reference) ?? byIntent(evidence).get(held.reference)
    if (!payment) return held.charges > 0 ? [`${held.reference}: charged, and not known`] : []
    return differences(payment, held, askedById.get(payment.id), evidence)
  })
  const strangers = asked
    .filter(({ id }) => known.has(id) && !gateway.has(id))
    .map(({ id }) => `${id}: the gateway was not looked at`)
  return found('Balanced', 'payments whose status or money is not what the gateway holds', [...wrong, ...strangers])
}

function differences(
  payment: KnownPayment,
  held: GatewayPayment,
  asked: AskedPayment | undefined,
  evidence: Evidence,
): string[] {
  const statuses = statusesOf(held, asked, evidence)
  const { id, status, captured, refunded } = payment
  return [
    ...(statuses.includes(status) ? [] : [`${id}: ${status}, not ${statuses.join(' or ')}`]),
    ...(captured === held.captured
      ? []
      : [`${id}: ${captured} captured in the ledger, ${held.captured} at the gateway`]),
    ...(refunded === held.refunded
      ? []
      : [`${id}: ${refunded} refunded in the ledger, ${held.refunded} at the gateway`]),
  ]
}

function statusesOf(held: GatewayPayment, asked: AskedPayment | undefined, { wrongClocks }: Evidence): string[] {
  if (held.charges === 0) return asked && mayHaveExpired(asked, wrongClocks) ? ['failed', 'expired'] : ['failed']
  if (held.status === 'requires_capture') return ['authorized']
  if (held.status === 'canceled') return ['canceled']
  if (held.refunded === 0) return ['captured']
  return held.refunded >= held.captured ? ['refunded'] : ['partially_refunded']
}

/** A payment may wait for so long before it is decided. */
const DECIDED_WITHIN_MS = 60_000

function mayHaveExpired({ acceptedAt }: AskedPayment, wrongClocks: Evidence['wrongClocks']): boolean {
  return wrongClocks.some(
    ({ from, to }) => acceptedAt >= from - DECIDED_WITHIN_MS && acceptedAt <= to + DECIDED_WITHIN_MS,
  )
}

const indexes = new WeakMap<Evidence, ReadonlyMap<string, KnownPayment>>()

function byIntent(evidence: Evidence): ReadonlyMap<string, KnownPayment> {
  const index =
    indexes.get(evidence) ??
    new Map(
      [...evidence.known.values()].flatMap((payment) => payment.intents.map((intent) => [intent, payment] as const)),
    )
  indexes.set(evidence, index)
  return index
}

function reportedRightly(evidence: Evidence): Finding[] {
  const wrong = evidence.reported.flatMap(({ intent, captured, refunded }) => {
    const payment = byIntent(evidence).get(intent)
    if (!payment || (payment.captured === captured && payment.refunded === refunded)) return []
    return [
      `${intent}: ${payment.captured} less ${payment.refunded} in the ledger, ${captured} less ${refunded} was told`,
    ]
  })
  return found('Balanced', 'payments told of by webhooks whose money is not what was told', wrong)
}

/** What was accepted came to an end, and to the one that the gateway's books show. */
function operationsDone({ operations, knownOperations, gateway }: Evidence): Finding[] {
  const wrong = operations.flatMap(({ id, call, payment, amount }) => {
    const status = knownOperations.get(id)?.status
    if (status === undefined) return []
    const held = gateway.get(payment)
    const isDone = {
      capture: held?.status === 'succeeded' && held.captured === (amount ?? held.captured),
      cancel: held?.status === 'canceled',
      refund: held?.refunds.some((refund) => refund.operation === id) === true,
    }[call]
    const isRight = isDone ? status === 'succeeded' : status === 'failed' || status === 'refused'
    return isRight ? [] : [`${call} ${id} of ${payment}: ${status}, and ${isDone ? '' : 'not '}done at the gateway`]
  })
  return found('Once', 'operations that do not stand as the gateway has them', wrong)
}

function traceable({ traced, asked, reported, known }: Evidence): Finding[] {
  const requests = new Map(asked.map(({ id, traceId }) => [id, traceId]))
  const webhooks = new Map(reported.map(({ intent, traceId }) => [intent, traceId]))
  const wrong = traced.flatMap(({ entry, payment, traceId, chain }) => {
    const root = chain.at(-1)
    const isToldByGateway = root?.type === 'gateway.event_received'
    const intents = known.get(payment)?.intents ?? []
    const sent = isToldByGateway ? intents.map((intent) => webhooks.get(intent))[0] : requests.get(payment)
    const isWhole = root !== undefined && !root.hasCause && chain.every((link) => link.traceId === traceId)
    return isWhole && (sent === undefined || traceId === sent)
      ? []
      : [`${entry} of ${payment}: ${chain.map(({ type }) => type).join(' ← ') || 'no cause'}`]
  })
  return found('Traceable', 'entries that do not lead back to their request', wrong)
}

function at(ms: number): string {
  return new Date(ms).toISOString()
}
