import type { ParameterKind, TemplateSettings } from '#kernel/config-ledger'
import { parseCurrency } from '#kernel/currency'
import { UsageError } from '#kernel/errors'
import { BASIS_POINTS } from '#kernel/shares'
import { isOfCurrencies } from './accounts.ts'
import { parameterOf, parametersIn } from './parameter.ts'
import type { ShareSettings, Template } from './template.ts'

/** As many as an entry of a caller's may have. */
const POSTINGS_MAX = 200

/** @throws UsageError, one line for the first template that is not sound. */
export function readTemplates(settings: Readonly<Record<string, TemplateSettings>>): ReadonlyMap<string, Template> {
  return new Map(
    Object.entries(settings).map(([name, template]) => {
      const wrong = wrongIn(template)
      if (wrong !== undefined) throw new UsageError(`ledger.templates.${name}${wrong}.`)
      return [name, { ...template, name, purpose: template.purpose ?? name }]
    }),
  )
}

/** A place in the settings with what stands there, and what may: the kinds of its parameters. */
type Use = { readonly at: string; readonly text: string | number; readonly kinds: readonly ParameterKind[] }

const inAddress: readonly ParameterKind[] = ['word', 'currency']

/** What is wrong, after the template's name; undefined if nothing is. */
function wrongIn(template: TemplateSettings): string | undefined {
  const { parameters, transfers, conditions = [] } = template
  for (const [place, transfer] of transfers.entries()) {
    const found = wrongShares(transfer)
    if (found !== undefined) return `.transfers.${place}${found}`
  }
  const postings = transfers.flatMap(({ debit, credit }) => [debit, credit].flat()).length
  if (postings > POSTINGS_MAX) return `.transfers must not make more than ${POSTINGS_MAX} postings`
  const limitless = conditions.findIndex(({ atLeast, atMost }) => atLeast === undefined && atMost === undefined)
  if (limitless >= 0) return `.conditions.${limitless} must have atLeast, atMost or both`
  const uses = usesIn(template)
  for (const { at, text, kinds } of uses) {
    const found = wrongUse(`${text}`, kinds, parameters)
    if (found !== undefined) return `.${at} ${found}`
  }
  const used = new Set(uses.flatMap(({ text }) => parametersIn(`${text}`)))
  const unused = Object.keys(parameters).find((name) => !used.has(name))
  return unused === undefined ? undefined : `.parameters.${unused} is used nowhere`
}

function wrongShares({ debit, credit, sweep = false }: TemplateSettings['transfers'][number]): string | undefined {
  if (sweep && (typeof debit !== 'string' || typeof credit !== 'string')) {
    return ' must have one account on each side: it is a sweep'
  }
  for (const [at, side] of Object.entries({ debit, credit })) {
    const found = typeof side === 'string' ? undefined : wrongSide(side)
    if (found !== undefined) return `.${at}${found}`
  }
  return undefined
}

function wrongSide(shares: readonly ShareSettings[]): string | undefined {
  const unclear = shares.findIndex((share) => meansOf(share).length !== 1)
  if (unclear >= 0) return `.${unclear} must have one of amount, basisPoints and remaining`
  const rests = shares.filter(({ remaining = false }) => remaining)
  if (rests.length > 1) return ' must give what remains to one account'
  const portions = shares.filter(({ basisPoints }) => basisPoints !== undefined)
  const isFixed = portions.every(({ basisPoints }) => typeof basisPoints === 'number')
  const total = portions.reduce((sum, { basisPoints }) => sum + Number(basisPoints), 0)
  if (isFixed && total > Number(BASIS_POINTS)) return ` must not give away more than ${BASIS_POINTS} basis points`
  const isWhole =
    portions.length === 0 || (portions.length === shares.length && (!isFixed || total === Number(BASIS_POINTS)))
  return rests.length === 0 && !isWhole ? ' must say which account has what remains' : undefined
}

function meansOf({ amount, basisPoints, remaining }: ShareSettings): unknown[] {
  return [amount, basisPoints, remaining].filter((means) => means !== undefined)
}

function wrongUse(
  text: string,
  kinds: readonly ParameterKind[],
  parameters: TemplateSettings['parameters'],
): string | undefined {
  for (const name of parametersIn(text)) {
    const kind = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (kind === undefined) return `names the parameter ${name}, which there is not`
    if (!kinds.includes(kind)) return `takes ${kinds.join(' or ')}, and ${name} is ${kind}`
  }
  const isCurrency = kinds.length === 1 && kinds[0] === 'currency'
  if (isCurrency && parameterOf(text) === undefined && parseCurrency(text) === undefined) {
    return 'must be an ISO 4217 code'
  }
  return isOfCurrencies(text) ? 'must leave accounts of currencies to conversions' : undefined
}

function usesIn({ transfers, conditions = [] }: TemplateSettings): Use[] {
  return [
    ...transfers.flatMap(({ debit, credit, amount, currency }, place): Use[] => {
      const at = `transfers.${place}`
      return [
        ...sideUses(`${at}.debit`, debit),
        ...sideUses(`${at}.credit`, credit),
        { at: `${at}.amount`, text: amount, kinds: ['amount'] },
        { at: `${at}.currency`, text: currency, kinds: ['currency'] },
      ]
    }),
    ...conditions.flatMap(({ account, currency, atLeast, atMost }, place): Use[] => {
      const at = `conditions.${place}`
      return [
        accountUse(`${at}.account`, account),
        { at: `${at}.currency`, text: currency, kinds: ['currency'] },
        ...(atLeast === undefined ? [] : [{ at: `${at}.atLeast`, text: atLeast, kinds: ['amount'] } as const]),
        ...(atMost === undefined ? [] : [{ at: `${at}.atMost`, text: atMost, kinds: ['amount'] } as const]),
      ]
    }),
  ]
}

function sideUses(at: string, side: TemplateSettings['transfers'][number]['debit']): Use[] {
  if (typeof side === 'string') return [accountUse(at, side)]
  return side.flatMap(({ account, amount, basisPoints }, place): Use[] => [
    accountUse(`${at}.${place}.account`, account),
    ...(amount === undefined ? [] : [{ at: `${at}.${place}.amount`, text: amount, kinds: ['amount'] } as const]),
    ...(basisPoints === undefined
      ? []
      : [{ at: `${at}.${place}.basisPoints`, text: basisPoints, kinds: ['basis_points'] } as const]),
  ])
}

/** A parameter by itself is a whole account; between colons it is a word of one. */
function accountUse(at: string, account: string): Use {
  return { at, text: account, kinds: parameterOf(account) === undefined ? inAddress : ['account'] }
}
