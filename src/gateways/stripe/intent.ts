import type { ReportOf } from '#gateways/events'
import { mapCharge } from './charge.ts'
import { readAmount } from './currency.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { integerAt, type JsonObject, listAt, objectAt, textAt } from './json.ts'
import { idAt } from './safe.ts'

type Status = ReportOf<'intent'>['status']

/** The names with `source` are those before API version 2019-02-11. */
const statuses: ReadonlyMap<string, Status> = new Map([
  ['requires_payment_method', 'requires_payment_method'],
  ['requires_source', 'requires_payment_method'],
  ['requires_confirmation', 'requires_confirmation'],
  ['requires_action', 'requires_action'],
  ['requires_source_action', 'requires_action'],
  ['processing', 'processing'],
  ['requires_capture', 'requires_capture'],
  ['succeeded', 'succeeded'],
  ['canceled', 'canceled'],
])

/** An intent, and the charges in it: all of them before API version 2022-11-15, the latest where expanded since. */
export function mapIntent(intent: JsonObject, about: About): Finding[] {
  const id = idAt(intent, 'id', about.digest)
  if (id === undefined) return [dropped('intent', 'id_missing')]
  const latest = objectAt(intent, 'latest_charge')
  const charges = [...listAt(intent, 'charges'), ...(latest === undefined ? [] : [latest])]
  // The event's type speaks of the intent: payment_intent.canceled says nothing of the charges in it.
  const below: About = { ...about, eventType: '', parents: [id] }
  return [mapItself(intent, id), ...charges.flatMap((charge) => mapCharge(charge, below))]
}

function mapItself(intent: JsonObject, id: string): Finding {
  const said = statuses.get(textAt(intent, 'status') ?? '')
  // Back at the beginning with an error is not the beginning: 3-D Secure that failed leaves no charge to tell of it.
  const isFailed = said === 'requires_payment_method' && objectAt(intent, 'last_payment_error') !== undefined
  const status = isFailed ? 'failed' : said
  if (status === undefined) return dropped('intent', 'status_unknown')
  // Once succeeded, the amount is what was received: less than asked for after a partial capture.
  const isReceived = status === 'succeeded' && (integerAt(intent, 'amount_received') ?? 0) > 0
  const amount = readAmount(intent, isReceived ? 'amount_received' : 'amount')
  if (typeof amount === 'string') return dropped('intent', amount)
  return found({ kind: 'intent', id, parents: [], ...amount, status })
}
