import type { ReportOf } from '#gateways/events'
import { readAmount } from './currency.ts'
import { mapFee } from './fee.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { type JsonObject, objectAt, textAt } from './json.ts'
import { joinParents, parentsOf } from './parents.ts'
import { codeAt, idAt } from './safe.ts'

type Status = ReportOf<'refund'>['status']

const statuses: ReadonlyMap<string, Status> = new Map([
  ['pending', 'pending'],
  ['requires_action', 'pending'],
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
])

/** Before API version 2015-01-11 a refund had no status: it was made when it existed. */
const statusBeforeStatuses: Status = 'succeeded'

/** A refund and the fee that came with it. */
export function mapRefund(refund: JsonObject, about: About): Finding[] {
  const id = idAt(refund, 'id', about.digest)
  if (id === undefined) return [dropped('refund', 'id_missing')]
  const { charge, intent } = parentsOf(refund, about.digest)
  const parents = joinParents([charge, intent], about.parents)
  return [mapItself(refund, id, parents), ...mapFee(refund, { ...about, parents: [id, ...parents] })]
}

function mapItself(refund: JsonObject, id: string, parents: string[]): Finding {
  const amount = readAmount(refund, 'amount')
  if (typeof amount === 'string') return dropped('refund', amount)
  const word = textAt(refund, 'status')
  const status = word === undefined ? statusBeforeStatuses : statuses.get(word)
  if (status === undefined) return dropped('refund', 'status_unknown')
  const failure = codeAt(refund, 'failure_reason')
  const operation = operationOf(refund)
  return found({
    kind: 'refund',
    id,
    parents,
    ...amount,
    status,
    ...(failure === undefined ? {} : { failure }),
    ...(operation === undefined ? {} : { operation }),
  })
}

/** The operation of ours that asked for the refund. Whoever may write metadata could write anything else there. */
function operationOf(refund: JsonObject): string | undefined {
  const metadata = objectAt(refund, 'metadata')
  const operation = metadata && textAt(metadata, 'millrace_operation')
  return operation !== undefined && /^op_[0-9a-z]{26}$/.test(operation) ? operation : undefined
}
