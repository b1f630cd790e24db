import type { ObjectReport } from '#gateways/events'
import { mapCharge } from './charge.ts'
import { disputeId, mapDispute } from './dispute.ts'
import type { About, Dropped, Finding } from './finding.ts'
import { mapIntent } from './intent.ts'
import { isObject, type JsonObject, objectAt, textAt, valueAt } from './json.ts'
import { parentsOf } from './parents.ts'
import { mapPayout } from './payout.ts'
import { mapRefund } from './refund.ts'
import { type DigestId, idAt, safeEventType, safeId } from './safe.ts'

export type MappedObject = {
  /** The object that all of one payment's objects lead to: its intent, else its charge, else the object itself. */
  readonly root: string | undefined
  /** Our payment, where the object carries it for us. */
  readonly payment?: string
  readonly reports: ObjectReport[]
  readonly dropped: Dropped[]
}

export type MappedEvent = MappedObject & {
  readonly eventId: string
  readonly eventType: string
  readonly livemode: boolean
  readonly root: string
}

/** The families that say something of a payment or a payout. Every other genuine event has no reports. */
const families = ['payment_intent.', 'charge.', 'refund.', 'payout.']

/**
 * A Stripe event in our words, of any version of the API. Never throws, whatever the JSON: what is
 * missing or odd gives no report. Only ids, codes, amounts and states pass; anything else stays behind.
 */
export function mapStripeEvent(event: unknown, digest: DigestId): MappedEvent | 'not_an_event' {
  if (!isObject(event)) return 'not_an_event'
  const id = textAt(event, 'id')
  const type = textAt(event, 'type')
  if (id === undefined || id === '' || type === undefined || type === '') return 'not_an_event'

  const eventId = safeId(id, digest)
  const eventType = safeEventType(type)
  const data = objectAt(event, 'data')
  const object = data && objectAt(data, 'object')
  const mapped = object === undefined ? nothing : mapStripeObject(object, digest, eventType)
  return { ...mapped, eventId, eventType, livemode: valueAt(event, 'livemode') === true, root: mapped.root ?? eventId }
}

const nothing: MappedObject = { root: undefined, reports: [], dropped: [] }

/** One object of Stripe's, from an answer or inside an event. Never throws. */
export function mapStripeObject(object: JsonObject, digest: DigestId, eventType?: string): MappedObject {
  const family = eventType === undefined ? textAt(object, 'object') : familyOf(object, eventType)
  const about: About = { digest, eventType: eventType ?? '', parents: [] }
  const payment = paymentOf(object)
  const findings = mapFamily(family, object, about)
  return {
    root: rootOf(family, object, about),
    ...(payment === undefined ? {} : { payment }),
    reports: findings.flatMap((finding) => ('report' in finding ? [finding.report] : [])),
    dropped: findings.flatMap((finding) => ('dropped' in finding ? [finding.dropped] : [])),
  }
}

function mapFamily(family: string | undefined, object: JsonObject, about: About): Finding[] {
  switch (family) {
    case 'payment_intent':
      return mapIntent(object, about)
    case 'charge':
      return mapCharge(object, about)
    case 'refund':
      return mapRefund(object, about)
    case 'dispute':
      return mapDispute(object, about)
    case 'payout':
      return mapPayout(object, about)
    default:
      return []
  }
}

/** The object says what it is; only where it does not, the event's type has to tell. */
function familyOf(object: JsonObject, eventType: string): string | undefined {
  const family = families.find((prefix) => eventType.startsWith(prefix))
  if (family === undefined) return undefined
  const said = textAt(object, 'object')
  if (said !== undefined) return said
  if (eventType.startsWith('charge.refund.')) return 'refund'
  return eventType.startsWith('charge.dispute.') ? 'dispute' : family.slice(0, -1)
}

function rootOf(family: string | undefined, object: JsonObject, about: About): string | undefined {
  const own = idAt(object, 'id', about.digest)
  switch (family) {
    case 'charge':
      return idAt(object, 'payment_intent', about.digest) ?? own
    case 'refund':
    case 'dispute': {
      const { charge, intent } = parentsOf(object, about.digest)
      return intent ?? charge ?? (family === 'dispute' ? disputeId(object, [], about) : own)
    }
    default:
      return own
  }
}

/** Metadata is the object's own; an expanded parent's serves where there is none. */
function paymentOf(object: JsonObject): string | undefined {
  const bearers = [object, objectAt(object, 'payment_intent'), objectAt(object, 'charge')]
  for (const bearer of bearers) {
    const metadata = bearer && objectAt(bearer, 'metadata')
    const payment = metadata && textAt(metadata, 'millrace_payment')
    if (payment !== undefined && /^pay_[0-9a-z]{26}$/.test(payment)) return payment
  }
  return undefined
}
