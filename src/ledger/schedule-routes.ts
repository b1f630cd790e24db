import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { Whose } from './book-sql.ts'
import type { Desk } from './desk.ts'
import { entryId, entrySource, idOfSource } from './entry-source.ts'
import { refusalOf } from './refusal.ts'
import { entryIn, entryParts, keptEntry } from './schedule.ts'
import { findSchedules, type SchedulePlace, type ScheduleRow, schedulePage } from './schedule-sql.ts'
import { ID_PATTERN } from './shapes.ts'

export type ScheduleRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  readonly desk: Desk
  readonly database: Database
}

const params = Type.Object({ id: Type.String({ pattern: ID_PATTERN, description: 'Yours.' }) })
const Nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
const Scheduled = Type.Object({
  id: Type.String(),
  state: Type.String({ description: 'scheduled, booked, refused or canceled' }),
  scheduled_for: Type.String(),
  purpose: Type.String(),
  source: Type.String({ description: 'Of the entry that it is to be, or is.' }),
  entry: Nullable('Once it is booked.'),
  refusal: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
    description: 'Why it was not booked: its code, and what goes with it.',
  }),
  reverses: Nullable('Source of the entry that it undoes.'),
  postings: entryParts.postings,
  transfers: Type.Array(
    Type.Object({
      debit: Type.String(),
      credit: Type.String(),
      amount: Type.String(),
      currency: Type.String(),
      sweep: Type.Boolean(),
    }),
  ),
  conditions: Type.Array(
    Type.Object({
      account: Type.String(),
      currency: Type.String(),
      at_least: Nullable('What it must have available, at least.'),
      at_most: Nullable('And at most.'),
    }),
  ),
  placed_at: Type.String(),
  ended_at: Nullable('When it was booked, refused or canceled.'),
})
const listQuery = Type.Object(
  {
    state: Type.Optional(
      Type.String({
        pattern: '^(?:scheduled|booked|refused|canceled)$',
        description: 'scheduled, booked, refused or canceled; scheduled by default',
      }),
    ),
    ...pageQuery,
  },
  { additionalProperties: false },
)
const Place = Compile(Type.Tuple([Type.String(), Type.String()]))

/** What is to be booked at a time: listed, read, and taken back before. */
export function scheduleRoutes(server: HttpServer, ports: ScheduleRoutePorts): void {
  const { callers, cursors, desk, database } = ports
  const onRequest = callers.check

  const list = {
    summary: 'List scheduled entries',
    description: 'Of one state, the soonest first.',
    querystring: listQuery,
    refusals: ['cursor_invalid', 'parameter_invalid'] as const,
    response: { 200: pageOf(Scheduled, 'A page of scheduled entries.') },
  }
  server.get('/v1/ledger/scheduled-entries', { onRequest, schema: list }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { cursor } = request.query
    const asked = stateOf(request.query.state)
    const scope = `scheduled-entries/${tenant}/${mode}/${asked}`
    const after = cursor === undefined ? undefined : placeOf(cursors.read(scope, cursor, 'cursor'))
    const limit = pageLimit(request.query.limit)
    const found = await schedulePage(database, { tenant, mode }, { state: asked, after, limit: limit + 1 })
    const last = found.length > limit ? found[limit - 1] : undefined
    const next = last && Buffer.from(JSON.stringify([last.place, last.source]))
    return {
      data: found.slice(0, limit).map((row) => shown({ tenant, mode }, row)),
      has_more: last !== undefined,
      next_cursor: next ? cursors.write(scope, next) : null,
    }
  })

  const one = {
    summary: 'What has become of a scheduled entry',
    params,
    refusals: ['parameter_invalid', 'schedule_not_found'] as const,
    response: { 200: Scheduled },
  }
  server.get('/v1/ledger/scheduled-entries/:id', { onRequest, schema: one }, (request) =>
    find(callers.of(request), request.params.id),
  )

  const cancel = {
    summary: 'Take back what is scheduled',
    description: 'Done again, it changes nothing. What has been booked is undone by an entry that reverses it.',
    params,
    refusals: ['parameter_invalid', 'schedule_ended', 'schedule_not_found'] as const,
    response: { 200: Scheduled },
  }
  server.post('/v1/ledger/scheduled-entries/:id/cancel', { onRequest, schema: cancel }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { id } = request.params
    const { traceparent } = request
    const commands = [{ kind: 'schedule_cancel', id, fingerprint: 'cancel' } as const]
    const [outcome] = await desk.submit({ tenant, mode, traceparent, commands, isLinked: false })
    if (outcome?.status === 'refused') throw refusalOf(outcome.refusal)
    return find({ tenant, mode }, id)
  })

  async function find(whose: Whose, id: string) {
    const [row] = await findSchedules(database, whose, [entrySource(id)])
    if (!row) throw new Refusal('schedule_not_found', { field: 'id' })
    return shown(whose, row)
  }
}

function stateOf(text = 'scheduled'): ScheduleRow['state'] {
  return text === 'booked' || text === 'refused' || text === 'canceled' ? text : 'scheduled'
}

function placeOf(bytes: Buffer): SchedulePlace {
  const place: unknown = JSON.parse(bytes.toString())
  if (!Place.Check(place)) throw new Refusal('cursor_invalid', { field: 'cursor' })
  const [dueAt, source] = place
  return { dueAt, source }
}

function shown(whose: Whose, row: ScheduleRow) {
  const { source, state: now, purpose, due_at, placed_at, ended_at } = row
  const kept = keptEntry(entryIn(row.command))
  const parts = kept.kind === 'entry' ? kept : { postings: [], transfers: [], conditions: [] }
  return {
    id: idOfSource(source) ?? source,
    state: now,
    scheduled_for: due_at.toISOString(),
    purpose,
    source,
    entry: now === 'booked' ? entryId(whose, source) : null,
    refusal: row.refusal,
    reverses: kept.kind === 'reversal' ? kept.entry : null,
    postings: parts.postings,
    transfers: parts.transfers.map(({ debit, credit, amount, currency, isSweep = false }) => {
      return { debit, credit, amount, currency, sweep: isSweep }
    }),
    conditions: parts.conditions.map(({ account, currency, atLeast, atMost }) => {
      return { account, currency, at_least: atLeast ?? null, at_most: atMost ?? null }
    }),
    placed_at: placed_at.toISOString(),
    ended_at: ended_at?.toISOString() ?? null,
  }
}
