import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { shown } from './account-routes.ts'
import type { AccountAdmin } from './administer.ts'
import type { Catalog } from './catalog.ts'
import { accountsOf } from './chart.ts'
import { checkedAccount } from './request.ts'
import { AccountSettingsShape, ChartBody } from './shapes.ts'

export type ChartRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly accounts: AccountAdmin
  readonly catalog: Catalog
}

const Parameters = Type.Record(Type.String(), Type.String(), {
  description: 'Of each: word, account, amount, currency or basis_points.',
})
const CatalogShape = Type.Object({
  charts: Type.Array(
    Type.Object({
      name: Type.String(),
      parameters: Parameters,
      accounts: Type.Array(
        Type.Object({
          id: Type.String({ description: 'As in merchant:{merchant}:payable.' }),
          type: Type.String(),
          parent: Type.Union([Type.String(), Type.Null()]),
        }),
      ),
    }),
  ),
  templates: Type.Array(
    Type.Object({ name: Type.String(), version: Type.Integer(), purpose: Type.String(), parameters: Parameters }),
  ),
})
const Opened = Type.Object({ accounts: Type.Array(AccountSettingsShape) })

/** What accounts and entries are made from, and accounts from it. */
export function chartRoutes(server: HttpServer, { callers, accounts, catalog }: ChartRoutePorts): void {
  const onRequest = callers.check

  const list = {
    summary: 'Charts of accounts and templates of entries',
    description: 'As they are configured, with the parameters that each takes.',
    response: { 200: CatalogShape },
  }
  server.get('/v1/ledger/catalog', { onRequest, schema: list }, () => ({
    charts: [...catalog.charts.values()].map(({ name, parameters, accounts: of }) => ({
      name,
      parameters: { ...parameters },
      accounts: of.map(({ id, type, parent = null }) => ({ id, type, parent })),
    })),
    templates: [...catalog.templates.values()].map(({ name, version, purpose, parameters }) => {
      return { name, version, purpose, parameters: { ...parameters } }
    }),
  }))

  const open = {
    summary: 'Open the accounts of a chart',
    description:
      'For one set of parameters: all of them, or none. Opened again with the same settings, they are those that are there.',
    body: ChartBody,
    refusals: [
      'account_exists',
      'account_kind_invalid',
      'chart_unknown',
      'limit_invalid',
      'template_parameter_invalid',
      'template_parameter_missing',
      'template_parameter_unknown',
    ] as const,
    response: { 201: Opened },
  }
  server.post('/v1/ledger/accounts', { onRequest, schema: open }, async (request, reply) => {
    const { chart: name, parameters = {}, account } = request.body
    const chart = catalog.charts.get(name)
    if (!chart) {
      const known = [...catalog.charts.keys()].join(', ')
      throw new Refusal('chart_unknown', { field: 'chart', ...(known ? { detail: `known are ${known}` } : {}) })
    }
    const settings = accountsOf(chart, parameters, account)
    for (const one of settings) checkedAccount(one.account, 'parameters')
    const opened = await accounts.openAll(callers.of(request), settings, request)
    return reply.code(201).send({ accounts: opened.map(shown) })
  })
}
