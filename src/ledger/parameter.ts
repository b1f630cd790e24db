import { containsCardNumber } from '#kernel/card-number'
import type { ParameterKind } from '#kernel/config-ledger'
import { parseCurrency } from '#kernel/currency'
import { Refusal } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import { fromMinorNumber } from '#kernel/money'
import { nearest } from '#kernel/nearest'
import { isOfCurrencies } from './accounts.ts'
import { ACCOUNT_PATTERN } from './shapes.ts'

/** What stands for the parameters of a chart or a template: texts, and amounts in minor units. */
export type Values = { text(name: string): string; number(name: string): bigint }

/** By name, what each parameter takes. */
export type Parameters = Readonly<Record<string, ParameterKind>>
export type GivenParameters = Readonly<Record<string, string | number>>

const BASIS_POINTS_MAX = 10_000

const kinds = {
  word: { right: '1 to 64 letters, digits, _ and -', isRight: (value) => isText(value, /^[A-Za-z0-9_-]{1,64}$/) },
  account: {
    right: 'an account that may be moved, as in wallet:ada',
    isRight: (value) => isText(value, new RegExp(ACCOUNT_PATTERN)) && !isOfCurrencies(`${value}`),
  },
  currency: {
    right: 'an ISO 4217 code',
    isRight: (value) => typeof value === 'string' && parseCurrency(value) !== undefined,
  },
  amount: {
    right: 'a whole number of minor units, not below zero',
    isRight: (value) => isNumber(value, Number.MAX_SAFE_INTEGER),
  },
  basis_points: {
    right: `a whole number from 0 to ${BASIS_POINTS_MAX}`,
    isRight: (value) => isNumber(value, BASIS_POINTS_MAX),
  },
} as const satisfies Record<ParameterKind, { right: string; isRight: (value: string | number) => boolean }>

/** @throws Refusal that names the parameter which is missing, not known, or not of its kind. */
export function valuesOf(parameters: Parameters, given: GivenParameters): Values {
  for (const name of Object.keys(given)) if (!Object.hasOwn(parameters, name)) throw unknown(name, parameters)
  const values = new Map<string, string | number>()
  for (const [name, kind] of Object.entries(parameters)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    const field = `parameters.${name}`
    const { right, isRight } = kinds[kind]
    if (value === undefined)
      throw new Refusal('template_parameter_missing', { field, detail: `${field} is required: ${right}` })
    if (!isRight(value)) throw new Refusal('template_parameter_invalid', { field, detail: `${field} must be ${right}` })
    if (typeof value === 'string' && containsCardNumber(value)) {
      throw new Refusal('template_parameter_invalid', { field, detail: `${field} must not contain a card number` })
    }
    values.set(name, value)
  }
  return {
    text: (name) => `${known(values, name)}`,
    number: (name) => fromMinorNumber(Number(known(values, name))),
  }
}

/** The names that stand in braces. */
export function parametersIn(pattern: string): string[] {
  return [...pattern.matchAll(/\{([a-z0-9_]+)\}/g)].map(([, name = '']) => name)
}

/** The name, where the whole of it is one parameter, as in `{amount}`. */
export function parameterOf(pattern: string): string | undefined {
  return /^\{([a-z0-9_]+)\}$/.exec(pattern)?.[1]
}

/** The pattern with every parameter replaced. */
export function filled(pattern: string, values: Pick<Values, 'text'>): string {
  return pattern.replaceAll(/\{([a-z0-9_]+)\}/g, (_, name: string) => values.text(name))
}

function unknown(name: string, parameters: Parameters): Refusal {
  const names = Object.keys(parameters)
  const near = nearest(name, names)
  const known = names.length === 0 ? 'there are no parameters' : `known are ${names.join(', ')}`
  const detail = near === undefined ? known : `did you mean ${near}?`
  return new Refusal('template_parameter_unknown', { field: `parameters.${name}`, detail })
}

function known(values: ReadonlyMap<string, string | number>, name: string): string | number {
  const value = values.get(name)
  invariant(value !== undefined, 'what a pattern names is declared')
  return value
}

function isText(value: string | number, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}

function isNumber(value: string | number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
}
