import type { ReportOf } from '#gateways/events'
import { readAmount } from './currency.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { type JsonObject, textAt } from './json.ts'
import { idAt } from './safe.ts'

type Status = ReportOf<'payout'>['status']

const statuses: ReadonlyMap<string, Status> = new Map([
  ['pending', 'pending'],
  ['in_transit', 'in_transit'],
  ['paid', 'paid'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
])

/**
 * Money on its way to the bank. A negative payout is a debit of the bank account that fills a negative
 * balance: a report has no direction yet, so it is dropped and counted rather than booked the wrong way.
 */
export function mapPayout(payout: JsonObject, { digest }: About): Finding[] {
  const id = idAt(payout, 'id', digest)
  if (id === undefined) return [dropped('payout', 'id_missing')]
  const amount = readAmount(payout, 'amount')
  if (typeof amount === 'string') return [dropped('payout', amount)]
  const status = statuses.get(textAt(payout, 'status') ?? '')
  if (status === undefined) return [dropped('payout', 'status_unknown')]
  return [found({ kind: 'payout', id, parents: [], ...amount, status })]
}
