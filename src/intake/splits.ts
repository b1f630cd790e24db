import { containsCardNumber } from '#kernel/card-number'
import { parseCurrency } from '#kernel/currency'
import { Refusal } from '#kernel/errors'
import { fromMinorNumber, money, toMinorNumber } from '#kernel/money'
import { type Share, shareOut } from '#kernel/shares'
import type { PaymentRequested } from '#payments/events'
import type { OperationBody } from './operation-request.ts'
import type { PaymentBody, SplitBody } from './request.ts'

type Splits = NonNullable<PaymentRequested['splits']>
type Party = Pick<Splits[number], 'merchant' | 'account'>

/**
 * What others than the merchant get of a payment, in minor units: portions are rounded by largest remainder, the rest of the
 * merchant included. Parts of nothing are left out. Undefined where nobody else gets anything.
 * @throws Refusal that names the field, or `split_exceeded` where they get more than there is.
 */
export function splitsOf({ amount, currency, merchant, splits }: PaymentBody): Splits | undefined {
  const known = parseCurrency(currency)
  if (!splits || !known) return undefined
  const parties = splits.map((split, place) => partyOf(split, place, merchant))
  checkNamedOnce(parties)
  const parts = shareOut(money(fromMinorNumber(amount), known), splits.map(shareOf))
  if (!parts) throw new Refusal('split_exceeded', { field: 'splits' })
  const all = parties.map((party, place) => ({ ...party, amount: toMinorNumber(parts[place] ?? 0n) }))
  const given = all.filter((split) => split.amount > 0)
  return given.length === 0 ? undefined : given
}

/** @throws Refusal where one names nobody, two, or somebody that one before it names. Who shares the payment is known later. */
export function checkRefundSplits(splits: OperationBody['splits'] = []): void {
  checkNamedOnce(splits.map((split, place) => partyOf(split, place, undefined)))
}

function checkNamedOnce(parties: readonly Party[]): void {
  const names = parties.map(({ merchant, account }) => merchant ?? account)
  const twice = names.findIndex((name, place) => names.indexOf(name) !== place)
  if (twice >= 0) throw wrong(`splits.${twice}`, 'must name somebody that no split before it names')
}

function partyOf(
  { merchant, account }: Pick<SplitBody, 'merchant' | 'account'>,
  place: number,
  own: string | undefined,
): Party {
  const field = `splits.${place}`
  if (containsCardNumber(`${merchant} ${account}`)) throw wrong(field, 'must not contain a card number')
  if (merchant !== undefined && account === undefined) {
    if (merchant === own) throw wrong(`${field}.merchant`, 'must be another merchant than that of the payment')
    return { merchant }
  }
  if (account !== undefined && merchant === undefined) return { account }
  throw wrong(field, 'must have either merchant or account')
}

function shareOf({ amount, share_basis_points: portion }: SplitBody, place: number): Share {
  if (amount !== undefined && portion === undefined) return { amount: fromMinorNumber(amount) }
  if (portion !== undefined && amount === undefined) return { basisPoints: fromMinorNumber(portion) }
  throw wrong(`splits.${place}`, 'must have either amount or share_basis_points')
}

function wrong(field: string, what: string): Refusal {
  return new Refusal('body_invalid', { field, detail: `${field} ${what}` })
}
