import { readAmount } from './currency.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { type JsonObject, objectAt } from './json.ts'
import { idAt } from './safe.ts'

/** The fee of the balance transaction expanded under `balance_transaction`; none where it is an id. */
export function mapFee(owner: JsonObject, about: About): Finding[] {
  const transaction = objectAt(owner, 'balance_transaction')
  return transaction === undefined ? [] : mapTransactionFee(transaction, about)
}

/**
 * In the currency of the settlement, which need not be the payment's. A negative fee is one given
 * back (a dispute won): there is no report for it yet, so it is dropped and counted.
 */
export function mapTransactionFee(transaction: JsonObject, about: About): Finding[] {
  const id = idAt(transaction, 'id', about.digest)
  if (id === undefined) return [dropped('fee', 'id_missing')]
  const fee = readAmount(transaction, 'fee')
  if (typeof fee === 'string') return [dropped('fee', fee)]
  return fee.amount === 0 ? [] : [found({ kind: 'fee', id, parents: [...about.parents], ...fee })]
}
