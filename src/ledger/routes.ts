import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { AccountView } from './index.ts'

type Whose = { readonly tenant: string; readonly mode: string }

export type LedgerRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  trialBalance(about: Whose): Promise<readonly AccountView[]>
  accountBalances(about: Whose & { readonly account: string }): Promise<readonly AccountView[]>
}

const params = Type.Object({ id: Type.String() })

export function ledgerRoutes(server: HttpServer, ports: LedgerRoutePorts): void {
  const { callers } = ports
  server.get('/v1/trial-balance', { onRequest: callers.check }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const accounts = await ports.trialBalance({ tenant, mode })
    return { accounts: accounts.map(lineOf), totals: totalsOf(accounts) }
  })

  server.get('/v1/accounts/:id', { schema: { params }, onRequest: callers.check }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const lines = await ports.accountBalances({ tenant, mode, account: request.params.id })
    const [first] = lines
    if (!first) throw new Refusal('account_not_found', { field: 'id' })
    const balances = lines.map((line) => {
      const { account: _, type: __, ...balance } = lineOf(line)
      return balance
    })
    return { id: first.account, type: first.type, balances }
  })
}

/** Amounts as text: a sum of amounts may pass 2^53. */
function lineOf({ account, type, currency, debit, credit, balance, entries }: AccountView) {
  return {
    account,
    type,
    currency,
    debit: debit.toString(),
    credit: credit.toString(),
    balance: balance.toString(),
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
