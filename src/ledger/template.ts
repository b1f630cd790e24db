import type { TemplateSettings } from '#kernel/config-ledger'
import { parseCurrency } from '#kernel/currency'
import { Refusal } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import { type Money, money } from '#kernel/money'
import { type Share, shareOut } from '#kernel/shares'
import type { Condition, Transfer } from './command.ts'
import type { Posting } from './entry.ts'
import { filled, type GivenParameters, parameterOf, type Values, valuesOf } from './parameter.ts'

/** A kind of entry that callers book by its name and parameters. */
export type Template = TemplateSettings & { readonly name: string; readonly purpose: string }

/** Which template made an entry; an entry keeps it. */
export type TemplateRef = Pick<Template, 'name' | 'version'>

/** What an entry of the template books. */
export type Filled = {
  readonly postings: readonly Posting[]
  readonly transfers: readonly Transfer[]
  readonly conditions: readonly Condition[]
}

type TransferSettings = TemplateSettings['transfers'][number]
type Side = TransferSettings['debit']
export type ShareSettings = Exclude<Side, string>[number]

/**
 * What the template books with these parameters. Parts of nothing are left out.
 * @throws Refusal that names the parameter, or says that the parts of an amount are more than all of it.
 */
export function fillTemplate(template: Template, given: GivenParameters): Filled {
  const values = valuesOf(template.parameters, given)
  const sweeps = template.transfers.filter(({ sweep = false }) => sweep)
  const others = template.transfers.filter(({ sweep = false }) => !sweep)
  return {
    postings: others.flatMap((transfer) => postingsOf(transfer, values)),
    transfers: sweeps.flatMap((transfer) => sweepOf(transfer, values)),
    conditions: (template.conditions ?? []).map(({ account, currency, atLeast, atMost }) => ({
      account: filled(account, values),
      currency: filled(currency, values),
      ...(atLeast === undefined ? {} : { atLeast: numberOf(atLeast, values) }),
      ...(atMost === undefined ? {} : { atMost: numberOf(atMost, values) }),
    })),
  }
}

function postingsOf({ debit, credit, amount, currency }: TransferSettings, values: Values): Posting[] {
  const whole = moneyOf(amount, currency, values)
  return [
    ...partsOf(debit, whole, values).map(({ account, part }) => ({ account, amount: part, currency: whole.currency })),
    ...partsOf(credit, whole, values).map(({ account, part }) => ({
      account,
      amount: -part,
      currency: whole.currency,
    })),
  ].filter((posting) => posting.amount !== 0n)
}

function partsOf(side: Side, whole: Money, values: Values): { account: string; part: bigint }[] {
  if (typeof side === 'string') return [{ account: filled(side, values), part: whole.minor }]
  const parts = shareOut(
    whole,
    side.map((share) => shareOf(share, values)),
  )
  if (!parts) throw new Refusal('split_exceeded', { field: 'parameters' })
  return side.map(({ account }, place) => ({ account: filled(account, values), part: parts[place] ?? 0n }))
}

function shareOf({ amount, basisPoints }: ShareSettings, values: Values): Share {
  if (amount !== undefined) return { amount: numberOf(amount, values) }
  return basisPoints === undefined ? { isRemaining: true } : { basisPoints: numberOf(basisPoints, values) }
}

function sweepOf({ debit, credit, amount, currency }: TransferSettings, values: Values): Transfer[] {
  invariant(typeof debit === 'string' && typeof credit === 'string', 'a sweep has one account on each side')
  const whole = moneyOf(amount, currency, values)
  if (whole.minor === 0n) return []
  const accounts = { debit: filled(debit, values), credit: filled(credit, values) }
  if (accounts.debit === accounts.credit) {
    const detail = 'parameters must differ: with these, debit and credit are one account'
    throw new Refusal('template_parameter_invalid', { field: 'parameters', detail })
  }
  return [{ ...accounts, amount: whole.minor, currency: whole.currency, isSweep: true }]
}

function moneyOf(amount: string | number, currency: string, values: Values): Money {
  const known = parseCurrency(filled(currency, values))
  invariant(known, 'the currency of a template was checked')
  return money(numberOf(amount, values), known)
}

function numberOf(number: string | number, values: Values): bigint {
  if (typeof number === 'number') return BigInt(number)
  const name = parameterOf(number)
  invariant(name !== undefined, 'a number is a parameter or digits')
  return values.number(name)
}
