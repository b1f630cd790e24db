import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { Whose } from './book-sql.ts'
import { entrySource } from './entry-source.ts'
import { findHold, type HoldPlace, type HoldRow, holdPage } from './hold-sql.ts'

export type HoldRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  readonly database: Database
}

const Nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
const HoldShown = Type.Object({
  id: Type.String(),
  state: Type.String({ description: 'held, posted, voided or expired' }),
  purpose: Type.String(),
  debit: Type.String(),
  credit: Type.String(),
  amount: Type.String({ description: 'Minor units, as text.' }),
  currency: Type.String(),
  placed_at: Type.String(),
  expires_at: Nullable('When it is let go by itself.'),
  ended_at: Nullable('When it was posted, voided or over.'),
  source: Nullable('Of the entry that posted it.'),
})
const one = {
  summary: 'What has become of a hold',
  // Those that parts of the platform have placed have a stroke in them.
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 200, description: 'Its id.' }) }),
  refusals: ['hold_not_found', 'parameter_invalid'] as const,
  response: { 200: HoldShown },
}
const list = {
  summary: 'The holds on an account',
  description: 'On either side, the newest first; with state=held those that are not over.',
  params: Type.Object({ id: Type.String({ description: 'As in wallet:ada' }) }),
  querystring: Type.Object(
    { state: Type.Optional(Type.Literal('held', { description: 'held: only those that are not over' })), ...pageQuery },
    { additionalProperties: false },
  ),
  refusals: ['cursor_invalid', 'parameter_invalid'] as const,
  response: { 200: pageOf(HoldShown, 'A page of holds.') },
}
const Place = Compile(Type.Tuple([Type.String(), Type.String()]))

/** Amounts that are set aside, read: exact at the moment of the answer. */
export function holdRoutes(server: HttpServer, { callers, cursors, database }: HoldRoutePorts): void {
  const onRequest = callers.check

  server.get('/v1/ledger/holds/:id', { onRequest, schema: one }, async (request) => {
    const row = await findHold(database, callers.of(request), request.params.id)
    if (!row) throw new Refusal('hold_not_found', { field: 'id' })
    return shown(row)
  })

  server.get('/v1/accounts/:id/holds', { onRequest, schema: list }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const account = request.params.id
    const { cursor, state, limit: asked } = request.query
    const which = state ?? 'all'
    const scope = `holds/${tenant}/${mode}/${account}/${which}`
    const after = cursor === undefined ? undefined : placeOf(cursors.read(scope, cursor, 'cursor'))
    const limit = pageLimit(asked)
    const found = await holdPage(database, { tenant, mode }, { account, which, after, limit: limit + 1 })
    const last = found.length > limit ? found[limit - 1] : undefined
    const next = last && Buffer.from(JSON.stringify([last.place, last.id]))
    return {
      data: found.slice(0, limit).map(shown),
      has_more: last !== undefined,
      next_cursor: next ? cursors.write(scope, next) : null,
    }
  })
}

function placeOf(bytes: Buffer): HoldPlace {
  const place: unknown = JSON.parse(bytes.toString())
  if (!Place.Check(place)) throw new Refusal('cursor_invalid', { field: 'cursor' })
  const [placedAt, id] = place
  return { placedAt, id }
}

function shown(row: HoldRow): Static<typeof HoldShown> {
  const { id, state, purpose, debit, credit, amount, currency, placed_at, expires_at, ended_at, ending_id } = row
  return {
    id,
    state,
    purpose,
    debit,
    credit,
    amount: `${amount}`,
    currency,
    placed_at: placed_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
    ended_at: ended_at?.toISOString() ?? null,
    source: state === 'posted' && ending_id !== null ? entrySource(ending_id) : null,
  }
}
