import type { ChartAccountSettings, ChartSettings, ParameterKind } from '#kernel/config-ledger'
import { parseCurrency } from '#kernel/currency'
import { Refusal, UsageError } from '#kernel/errors'
import { isOfCurrencies } from './accounts.ts'
import { type AccountSettings, accountOf } from './administer.ts'
import { filled, type GivenParameters, type Parameters, parameterOf, parametersIn, valuesOf } from './parameter.ts'

/** Accounts that belong together, their names with parameters in them: opened for one set of values at once. */
export type Chart = {
  readonly name: string
  readonly parameters: Parameters
  readonly accounts: readonly ChartAccountSettings[]
}

/** @throws UsageError, one line for the first chart that is not sound. */
export function readCharts(settings: Readonly<Record<string, ChartSettings>>): ReadonlyMap<string, Chart> {
  return new Map(Object.entries(settings).map(([name, chart]) => [name, readChart(name, chart)]))
}

/**
 * The accounts of a chart for one set of values, those that are part of others after them; or the one of the name given.
 * @throws Refusal that names the parameter, or the account.
 */
export function accountsOf(chart: Chart, given: GivenParameters, only?: string): AccountSettings[] {
  const values = valuesOf(chart.parameters, given)
  const wanted = chart.accounts.filter(({ id }) => only === undefined || id === only)
  if (wanted.length === 0) {
    const known = chart.accounts.map(({ id }) => id).join(', ')
    throw new Refusal('chart_unknown', { field: 'account', detail: `account must be one of the chart: ${known}` })
  }
  const accounts = wanted.map((account) => settingsOf(account, (pattern) => filled(pattern, values)))
  const [twice] = repeated(accounts.map(({ account }) => account))
  if (twice === undefined) return accounts
  const detail = 'parameters must differ: with these, two accounts of the chart have one name'
  throw new Refusal('template_parameter_invalid', { field: 'parameters', detail })
}

function readChart(name: string, { parameters = [], accounts }: ChartSettings): Chart {
  const wrong = (about: string): UsageError => new UsageError(`ledger.charts.${name}${about}.`)
  const ids = accounts.map(({ id }) => id)
  const [twice] = repeated(ids)
  if (twice !== undefined) throw wrong(`: the account ${twice} is there twice`)
  for (const [place, account] of accounts.entries()) {
    const found = wrongIn(account, ids, parameters)
    if (found !== undefined) throw wrong(`.accounts.${place}${found}`)
  }
  const used = new Set(accounts.flatMap(patternsIn).flatMap(parametersIn))
  const unused = parameters.find((parameter) => !used.has(parameter))
  if (unused !== undefined) throw wrong(`.parameters: ${unused} is used by no account`)
  const circle = ids.find((id) => isItsOwnParent(id, accounts))
  if (circle !== undefined) throw wrong(`: the account ${circle} is a part of itself`)
  return { name, parameters: kindsOf(parameters, accounts), accounts: parentsFirst(accounts) }
}

/** What is wrong with an account by itself, after its name in the settings; undefined if nothing is. */
function wrongIn(
  account: ChartAccountSettings,
  ids: readonly string[],
  parameters: readonly string[],
): string | undefined {
  const { id, parent, currency } = account
  if (isOfCurrencies(id)) return '.id must leave accounts of currencies to conversions'
  if (parent !== undefined && !ids.includes(parent)) return `.parent: the chart has no account ${parent}`
  const unknown = patternsIn(account)
    .flatMap(parametersIn)
    .find((name) => !parameters.includes(name))
  if (unknown !== undefined) return `: the chart has no parameter ${unknown}`
  if (currency !== undefined && parameterOf(currency) === undefined && parseCurrency(currency) === undefined) {
    return '.currency must be an ISO 4217 code'
  }
  try {
    accountOf(settingsOf(account, (pattern) => pattern))
    return undefined
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return `.${error.field === undefined || error.field === 'id' ? 'id' : error.field}: ${error.message}`
  }
}

function settingsOf(
  { id, type, normalSide, currency, parent, floor, ceiling, guarded, metadata }: ChartAccountSettings,
  fill: (pattern: string) => string,
): AccountSettings {
  return {
    account: fill(id),
    type,
    ...(normalSide === undefined ? {} : { normalSide }),
    ...(currency === undefined ? {} : { currency: fill(currency) }),
    ...(parent === undefined ? {} : { parent: fill(parent) }),
    ...(floor === undefined ? {} : { floor: BigInt(floor) }),
    ...(ceiling === undefined ? {} : { ceiling: BigInt(ceiling) }),
    ...(guarded === undefined ? {} : { isGuarded: guarded }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

function patternsIn({ id, currency = '', parent = '' }: ChartAccountSettings): string[] {
  return [id, currency, parent]
}

/** A parameter that is a currency anywhere is one everywhere. */
function kindsOf(parameters: readonly string[], accounts: readonly ChartAccountSettings[]): Parameters {
  const currencies = new Set(accounts.flatMap(({ currency = '' }) => parametersIn(currency)))
  const kindOf = (name: string): ParameterKind => (currencies.has(name) ? 'currency' : 'word')
  return Object.fromEntries(parameters.map((name) => [name, kindOf(name)]))
}

function isItsOwnParent(id: string, accounts: readonly ChartAccountSettings[]): boolean {
  const parents = new Map(accounts.map((account) => [account.id, account.parent]))
  const seen = new Set<string>()
  for (let at = parents.get(id); at !== undefined && !seen.has(at); at = parents.get(at)) {
    if (at === id) return true
    seen.add(at)
  }
  return false
}

function parentsFirst(accounts: readonly ChartAccountSettings[]): ChartAccountSettings[] {
  const ordered: ChartAccountSettings[] = []
  const add = (account: ChartAccountSettings): void => {
    if (ordered.includes(account)) return
    const parent = accounts.find(({ id }) => id === account.parent)
    if (parent) add(parent)
    ordered.push(account)
  }
  for (const account of accounts) add(account)
  return ordered
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, place) => names.indexOf(name) !== place)
}
