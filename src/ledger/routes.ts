import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import { shown } from './account-routes.ts'
import type { AccountSettingsView } from './administer.ts'
import {
  baseOf,
  ConvertedLine,
  ConvertedTotal,
  convertedLine,
  convertedTotal,
  inBase,
} from './conversion-of-balances.ts'
import type { AccountView } from './index.ts'
import { isProvisional, Sealing, shownSealing } from './provisional.ts'
import type { RatesAt } from './rate.ts'
import { AccountSettingsShape } from './shapes.ts'
import { asOfOf, asOfQuery, lastBooked } from './statement-routes.ts'
import { type AsOf, sealedThrough } from './statement-sql.ts'

type Whose = { readonly tenant: string; readonly mode: string }

export type LedgerRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  readonly clock: Clock
  readonly ratesAt: RatesAt
  readonly database: Database
  /** What an account was opened with, if somebody opened it. */
  findSettings(about: Whose, account: string): Promise<AccountSettingsView | undefined>
  trialBalance(about: Whose, asOf?: AsOf): Promise<readonly (AccountView & { readonly lastBookedAt: number })[]>
  accountBalances(about: Whose & { readonly account: string }): Promise<readonly AccountView[]>
  listAccounts(
    about: Whose & { readonly after: string; readonly currency: string | undefined; readonly limit: number },
  ): Promise<readonly AccountView[]>
}

const params = Type.Object({ id: Type.String({ description: 'As in merchant:mer_books:payable' }) })
const Minor = Type.String({ pattern: '^-?\\d+$', description: 'Minor units, as text: a sum may pass 2^53.' })
const balance = { currency: Type.String(), debit: Minor, credit: Minor, balance: Minor, entries: Type.String() }
const kind = { type: Type.String({ description: 'asset, liability, income or expense' }) }
const Account = Type.Object({ id: Type.String(), ...kind, balances: Type.Array(Type.Object(balance)) })
const OneAccount = Type.Object({
  ...Account.properties,
  settings: Type.Optional({ ...AccountSettingsShape, description: 'Of an account that somebody opened.' }),
})
const TrialBalance = Type.Object({
  accounts: Type.Array(
    Type.Object({ account: Type.String(), ...kind, ...balance, converted: Type.Optional(ConvertedLine) }),
  ),
  totals: Type.Array(
    Type.Object({
      currency: Type.String(),
      debit: Minor,
      credit: Minor,
      difference: Type.String({ description: 'Zero, or the books are wrong.' }),
    }),
  ),
  ...Sealing,
  converted: Type.Optional(ConvertedTotal),
})
const listQuery = Type.Object(
  {
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code, as in EUR' })),
    ...pageQuery,
  },
  { additionalProperties: false },
)

export function ledgerRoutes(server: HttpServer, ports: LedgerRoutePorts): void {
  const { callers } = ports
  const onRequest = callers.check
  const trialBalance = {
    summary: 'Balances of all accounts, and their sums',
    description:
      'Now; or as they were at an instant, by when it happened, by when it was booked, or by both. in shows all of it in one currency too.',
    querystring: asOfQuery,
    refusals: ['parameter_invalid', 'rate_stale', 'rate_unknown'] as const,
    response: { 200: TrialBalance },
  }
  server.get('/v1/trial-balance', { onRequest, schema: trialBalance }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const asOf = asOfOf(request.query)
    const sealed = await sealedThrough(ports.database)
    const accounts = await ports.trialBalance({ tenant, mode }, asOf)
    const provisional = isProvisional(sealed, { bookedAt: asOf.bookedAt, lastBookedAt: lastBooked(accounts) })
    const about = { totals: totalsOf(accounts), ...shownSealing(sealed, provisional) }
    const base = baseOf(request.query.in)
    if (base === undefined) return { accounts: accounts.map(lineOf), ...about }
    const at = asOf.effectiveAt ?? ports.clock.now()
    const converted = await inBase(ports.ratesAt, { tenant, mode }, { base, at }, accounts)
    const lines = accounts.map((account, place) => {
      const line = converted[place]
      return { ...lineOf(account), ...(line ? { converted: convertedLine(line) } : {}) }
    })
    return { accounts: lines, ...about, converted: convertedTotal(base, converted) }
  })

  const account = {
    summary: 'The balances of an account',
    params,
    refusals: ['account_not_found'] as const,
    response: { 200: OneAccount },
  }
  server.get('/v1/accounts/:id', { onRequest, schema: account }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const account = request.params.id
    const lines = await ports.accountBalances({ tenant, mode, account })
    const settings = await ports.findSettings({ tenant, mode }, account)
    const [found] = accountsOf(lines)
    if (!found && !settings) throw new Refusal('account_not_found', { field: 'id' })
    const { balances = [], ...about } = found ?? { id: account, type: settings?.type ?? 'unknown' }
    return { ...about, ...(settings ? { settings: shown(settings) } : {}), balances }
  })

  const accounts = {
    summary: 'List accounts of the ledger with their balances',
    description:
      'By name. An account that is first booked on while a list is read is in it if its name is still to come.',
    querystring: listQuery,
    refusals: ['cursor_invalid', 'parameter_invalid'] as const,
    response: { 200: pageOf(Account, 'A page of accounts.') },
  }
  server.get('/v1/accounts', { onRequest, schema: accounts }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { currency, cursor, limit } = request.query
    const scope = `accounts/${tenant}/${mode}/${currency ?? ''}`
    const after = cursor === undefined ? '' : ports.cursors.read(scope, cursor, 'cursor').toString()
    const size = pageLimit(limit)
    const found = accountsOf(await ports.listAccounts({ tenant, mode, after, currency, limit: size + 1 }))
    const data = found.slice(0, size)
    const last = found.length > size ? data.at(-1) : undefined
    return {
      data,
      has_more: last !== undefined,
      next_cursor: last ? ports.cursors.write(scope, Buffer.from(last.id)) : null,
    }
  })
}

/** Lines by account, in the order in which they came. */
function accountsOf(lines: readonly AccountView[]): Static<typeof Account>[] {
  return [...Map.groupBy(lines, ({ account }) => account)].map(([id, balances]) => ({
    id,
    type: balances[0]?.type ?? 'unknown',
    balances: balances.map((line) => {
      const { account: _, type: __, ...amounts } = lineOf(line)
      return amounts
    }),
  }))
}

/** Amounts as text: a sum of amounts may pass 2^53. */
function lineOf({ account, type, currency, debit, credit, balance: total, entries }: AccountView) {
  return {
    account,
    type,
    currency,
    debit: debit.toString(),
    credit: credit.toString(),
    balance: total.toString(),
    entries: entries.toString(),
  }
}

function totalsOf(accounts: readonly AccountView[]) {
  return [...Map.groupBy(accounts, ({ currency }) => currency)].map(([currency, lines]) => {
    const debit = lines.reduce((sum, line) => sum + line.debit, 0n)
    const credit = lines.reduce((sum, line) => sum + line.credit, 0n)
    return {
      currency,
      debit: debit.toString(),
      credit: credit.toString(),
      difference: (debit - credit).toString(),
    }
  })
}
