import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { parseCurrency } from '#kernel/currency'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { AccountAdmin, AccountPatch, AccountSettings, AccountSettingsView } from './administer.ts'
import { checkedAccount } from './request.ts'
import { AccountBody, AccountPatchBody, AccountSettingsShape } from './shapes.ts'

export type AccountRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly accounts: AccountAdmin
}

const params = Type.Object({ id: Type.String() })

/** Accounts that callers open, with what they may hold. */
export function accountRoutes(server: HttpServer, { callers, accounts }: AccountRoutePorts): void {
  const onRequest = callers.check

  const open = {
    summary: 'Open an account of the ledger',
    description: 'Opened again with the same settings, it is the one that is there.',
    body: AccountBody,
    refusals: ['account_exists', 'account_kind_invalid', 'currency_unknown', 'limit_invalid'] as const,
    response: { 201: AccountSettingsShape },
  }
  server.post('/v1/accounts', { onRequest, schema: open }, async (request, reply) => {
    const view = await accounts.open(callers.of(request), settingsOf(request.body), request)
    return reply.code(201).send(shown(view))
  })

  const change = {
    summary: 'Change the limits of an account, close it or open it again',
    params,
    body: AccountPatchBody,
    refusals: ['account_not_found', 'limit_invalid'] as const,
    response: { 200: AccountSettingsShape },
  }
  server.patch('/v1/accounts/:id', { onRequest, schema: change }, async (request) =>
    shown(await accounts.change(callers.of(request), request.params.id, patchOf(request.body), request)),
  )
}

/** As an account that was opened is shown. */
export function shown(view: AccountSettingsView) {
  const { account, type, normalSide, currency, parent, floor, ceiling, isGuarded, openedAt, closedAt, metadata } = view
  return {
    id: account,
    type,
    normal_side: normalSide,
    currency: currency ?? null,
    parent: parent ?? null,
    floor: floor === undefined ? null : `${floor}`,
    ceiling: ceiling === undefined ? null : `${ceiling}`,
    guarded: isGuarded,
    metadata: metadata ?? null,
    opened_at: openedAt.toISOString(),
    closed_at: closedAt?.toISOString() ?? null,
    available: view.available.map(({ currency: of, amount, held }) => ({
      currency: of,
      amount: `${amount}`,
      held: `${held}`,
    })),
  }
}

function settingsOf({
  id,
  type,
  normal_side,
  currency,
  parent,
  floor,
  ceiling,
  guarded,
  metadata,
}: AccountBody): AccountSettings {
  if (currency !== undefined && parseCurrency(currency) === undefined) {
    throw new Refusal('currency_unknown', { field: 'currency' })
  }
  return {
    account: checkedAccount(id, 'id'),
    type,
    ...(normal_side === undefined ? {} : { normalSide: normal_side }),
    ...(currency === undefined ? {} : { currency }),
    ...(parent === undefined ? {} : { parent: checkedAccount(parent, 'parent') }),
    ...(floor == null ? {} : { floor: BigInt(floor) }),
    ...(ceiling == null ? {} : { ceiling: BigInt(ceiling) }),
    ...(guarded === undefined ? {} : { isGuarded: guarded }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

function patchOf({ floor, ceiling, guarded, closed, metadata }: AccountPatchBody): AccountPatch {
  return {
    ...(floor === undefined ? {} : { floor: floor === null ? null : BigInt(floor) }),
    ...(ceiling === undefined ? {} : { ceiling: ceiling === null ? null : BigInt(ceiling) }),
    ...(guarded === undefined ? {} : { isGuarded: guarded }),
    ...(closed === undefined ? {} : { isClosed: closed }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}
