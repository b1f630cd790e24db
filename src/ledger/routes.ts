import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { AccountView } from './index.ts'

type Whose = { readonly tenant: string; readonly mode: string }

export type LedgerRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  trialBalance(about: Whose): Promise<readonly AccountView[]>
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
const TrialBalance = Type.Object({
  accounts: Type.Array(Type.Object({ account: Type.String(), ...kind, ...balance })),
  totals: Type.Array(
    Type.Object({
      currency: Type.String(),
      debit: Minor,
      credit: Minor,
      difference: Type.String({ description: 'Zero, or the books are wrong.' }),
    }),
  ),
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
  const trialBalance = { summary: 'Balances of all accounts, and their sums', response: { 200: TrialBalance } }
  server.get('/v1/trial-balance', { onRequest, schema: trialBalance }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const accounts = await ports.trialBalance({ tenant, mode })
    return { accounts: accounts.map(lineOf), totals: totalsOf(accounts) }
  })

  const account = {
    summary: 'The balances of an account',
    params,
    refusals: ['account_not_found'] as const,
    response: { 200: Account },
  }
  server.get('/v1/accounts/:id', { onRequest, schema: account }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const lines = await ports.accountBalances({ tenant, mode, account: request.params.id })
    const [found] = accountsOf(lines)
    if (!found) throw new Refusal('account_not_found', { field: 'id' })
    return found
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
