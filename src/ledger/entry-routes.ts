import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import type { RefusalCode } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Seal } from '#kernel/seal'
import type { Catalog } from './catalog.ts'
import type { Command, Outcome } from './command.ts'
import type { Desk } from './desk.ts'
import { entrySource } from './entry-source.ts'
import { refusalJson, refusalOf } from './refusal.ts'
import { entryOrSchedule, holdCommand, holdPostCommand, holdVoidCommand, type Reading } from './request.ts'
import { BulkBody, Done, EntryBody, HoldBody, HoldPostBody, HoldVoidBody, ID_PATTERN } from './shapes.ts'

export type EntryRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly clock: Clock
  readonly seal: Pick<Seal, 'digest'>
  readonly desk: Desk
  readonly catalog: Pick<Catalog, 'templates'>
}

/** A thousand entries with what they may carry. */
const BULK_BYTES_MAX = 4 * 1024 * 1024

const ofEntries: readonly RefusalCode[] = [
  'account_closed',
  'account_not_guarded',
  'account_unknown',
  'ceiling_exceeded',
  'condition_failed',
  'currency_mismatch',
  'currency_unknown',
  'entry_not_found',
  'entry_reversed',
  'id_reused',
  'insufficient_funds',
  'period_closed',
  'unbalanced',
]
const ofTemplates: readonly RefusalCode[] = [
  'split_exceeded',
  'template_parameter_invalid',
  'template_parameter_missing',
  'template_parameter_unknown',
  'template_unknown',
]
const ofHolds: readonly RefusalCode[] = ['hold_ended', 'hold_exceeded', 'hold_not_found', 'id_reused', 'period_closed']
const dryRun = Type.Object(
  { dry_run: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])) },
  { additionalProperties: false },
)
const params = Type.Object({ id: Type.String({ pattern: ID_PATTERN }) })
const Results = Type.Object({
  results: Type.Array(
    Type.Object({
      id: Type.String(),
      status: Type.String({ description: 'done or refused' }),
      entry: Type.Optional(Type.String()),
      source: Type.Optional(Type.String()),
      repeated: Type.Optional(Type.Boolean()),
      schedule: Type.Optional(Type.String()),
      refusal: Type.Optional(
        Type.Record(Type.String(), Type.String(), { description: 'Its code, and what goes with it.' }),
      ),
    }),
  ),
})

/** Entries and holds that callers ask for: each with an outcome of its own, once it is committed. */
export function entryRoutes(server: HttpServer, { callers, clock, seal, desk, catalog }: EntryRoutePorts): void {
  const onRequest = callers.check

  const submit = async (
    request: FastifyRequest,
    commands: readonly Command[],
    about: { isLinked?: boolean; isDryRun?: boolean },
  ) => {
    const { tenant, mode } = callers.of(request)
    const { traceparent } = request
    return desk.submit({
      tenant,
      mode,
      traceparent,
      commands,
      isLinked: about.isLinked ?? false,
      isDryRun: about.isDryRun ?? false,
    })
  }

  const answer = async (request: FastifyRequest, reply: FastifyReply, command: Command, isDryRun: boolean) => {
    const [outcome] = await submit(request, [command], { isDryRun })
    if (outcome?.status !== 'done') throw refusalOf(outcome?.refusal ?? { code: 'id_reused', id: command.id })
    const status = command.kind === 'schedule' ? 202 : 201
    return reply.code(outcome.isRepeated || isDryRun ? 200 : status).send(doneOf(outcome))
  }

  const reading = (request: FastifyRequest): Reading => {
    const { tenant, mode } = callers.of(request)
    return { tenant, mode, digest: seal.digest, now: clock.now(), templates: catalog.templates }
  }

  const entry = {
    summary: 'Book an entry',
    description:
      'Postings of each currency add up to zero. Done once under its id, however often it is asked for. scheduled_for has it booked at a time. dry_run says what would happen now.',
    querystring: dryRun,
    body: EntryBody,
    refusals: [...ofEntries, ...ofTemplates, 'schedule_passed'] as const,
    response: { 200: Done, 201: Done, 202: Done },
  }
  server.post('/v1/ledger/entries', { onRequest, schema: entry }, (request, reply) => {
    const isDryRun = request.query.dry_run === 'true'
    return answer(request, reply, entryOrSchedule(request.body, reading(request), isDryRun), isDryRun)
  })

  const bulk = {
    summary: 'Book up to a thousand entries',
    description: 'In the order given; each sees those before it. atomic: all are booked, or none.',
    querystring: dryRun,
    body: BulkBody,
    refusals: ['currency_unknown', ...ofTemplates] as const,
    response: { 200: Results },
  }
  server.post('/v1/ledger/entries/bulk', { onRequest, schema: bulk, bodyLimit: BULK_BYTES_MAX }, async (request) => {
    const { entries, atomic = false } = request.body
    const isDryRun = request.query.dry_run === 'true'
    const about = reading(request)
    const commands = entries.map((body) => entryOrSchedule(body, about, isDryRun))
    const outcomes = await submit(request, commands, { isLinked: atomic, isDryRun })
    return { results: outcomes.map((outcome, place) => resultOf(commands[place]?.id ?? '', outcome)) }
  })

  const hold = {
    summary: 'Hold an amount',
    description: 'It counts in every limit of both accounts until it is posted, voided or over.',
    body: HoldBody,
    refusals: ofEntries,
    response: { 200: Done, 201: Done },
  }
  server.post('/v1/ledger/holds', { onRequest, schema: hold }, (request, reply) =>
    answer(request, reply, holdCommand(request.body, reading(request)), false),
  )

  const post = {
    summary: 'Post a hold, whole or in part',
    description: 'What is not posted is released.',
    params,
    body: HoldPostBody,
    refusals: [...ofHolds, 'account_closed'] as const,
    response: { 200: Done, 201: Done },
  }
  server.post('/v1/ledger/holds/:id/post', { onRequest, schema: post }, (request, reply) =>
    answer(request, reply, holdPostCommand(request.params.id, request.body, reading(request)), false),
  )

  const release = {
    summary: 'Void a hold',
    params,
    body: HoldVoidBody,
    refusals: ofHolds,
    response: { 200: Done, 201: Done },
  }
  server.post('/v1/ledger/holds/:id/void', { onRequest, schema: release }, (request, reply) =>
    answer(request, reply, holdVoidCommand(request.params.id, request.body, reading(request)), false),
  )
}

type DoneOutcome = Extract<Outcome, { status: 'done' }>

function doneOf({ id, entry, isRepeated, schedule }: DoneOutcome) {
  const source = entry === undefined ? null : entrySource(id)
  return { id, entry: entry ?? null, source, repeated: isRepeated, ...(schedule ? { schedule } : {}) }
}

function resultOf(id: string, outcome: Outcome) {
  if (outcome.status === 'refused') {
    return { id, status: 'refused', refusal: refusalJson(outcome.refusal) }
  }
  const { entry, source, repeated, schedule } = doneOf(outcome)
  const done = { id, status: 'done', repeated, ...(schedule ? { schedule } : {}) }
  return { ...done, ...(entry === null || source === null ? {} : { entry, source }) }
}
