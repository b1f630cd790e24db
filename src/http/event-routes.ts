import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import { covers, decodeOffsets, encodeOffsets, eventsArchived, type Follower, type Offsets, toCloudEvent } from '#log'
import type { EventStreams } from './event-streams.ts'
import { typeFilter } from './public-events.ts'
import { CloudEvent } from './schemas.ts'

type Whose = { readonly tenant: string; readonly mode: string }

export type EventRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose & { readonly keyId: string }
    isCurrent(request: FastifyRequest): boolean
  }
  readonly follower: Follower
  readonly streams: EventStreams
  readonly cursors: Cursors
  /** All types a tenant may read. */
  readonly types: readonly string[]
}

/** Questions one request may put to the log: a tenant with few events among many must not walk all of them at once. */
const PAGES_MAX = 8

const querystring = Type.Object(
  {
    ...pageQuery,
    type: Type.Optional(
      Type.String({
        pattern: '^[a-z_.* ]{1,100}(?:,[a-z_.* ]{1,100}){0,19}$',
        description: 'Up to 20 event types, separated by commas; a star at the end stands for the rest: payment.*',
      }),
    ),
  },
  { additionalProperties: false },
)

/** One address, two faces: a list in pages, or a stream, by what is accepted. Their places are the same. */
export function eventRoutes(server: HttpServer, ports: EventRoutePorts): void {
  const { callers, follower, types } = ports
  server.get(
    '/v1/events',
    {
      onRequest: callers.check,
      schema: {
        summary: 'List events, or follow them as they happen',
        description:
          'Oldest first, from the oldest that is kept or from `cursor`. With `Accept: text/event-stream` the events come as ' +
          'server-sent events: from now on, or from after `Last-Event-ID` or `cursor`, without a gap or a repetition. ' +
          'Each data line is a CloudEvent. A page may hold fewer events than asked for while there are more.',
        querystring,
        headersRead: {
          Accept: { description: 'text/event-stream for a stream; a list otherwise.' },
          'Last-Event-ID': { description: 'The id of the last event that was read: the stream goes on after it.' },
        },
        refusals: ['cursor_invalid', 'events_archived', 'parameter_invalid', 'streams_too_many'],
        response: {
          200: pageOf(CloudEvent, 'A list; or text/event-stream, where each data line is one of its items.'),
        },
      },
    },
    async (request, reply) => {
      const wanted = typeFilter(request.query.type, types)
      if (!wanted) {
        const detail = `type: each must be one of ${types.join(', ')}, or begin one and end in a star`
        throw new Refusal('parameter_invalid', { field: 'type', detail })
      }
      const begin = startOf(request, request.query.cursor, ports)
      if (wantsStream(request.headers.accept)) return stream(request, reply, ports, { wanted, begin })
      return list(callers.of(request), ports, { wanted, begin, limit: pageLimit(request.query.limit) })
    },
  )

  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    { streams }: EventRoutePorts,
    { wanted, begin }: { wanted: ReadonlySet<string>; begin: Offsets | undefined },
  ): Promise<FastifyReply> {
    const { tenant, mode, keyId } = callers.of(request)
    const from = begin ?? (await follower.heads())
    // Told now: once it has begun, a stream can only end.
    if (begin && !covers(begin, await follower.beginning())) throw eventsArchived()
    reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    const isKeyValid = (): boolean => callers.isCurrent(request)
    const wants = (type: string): boolean => wanted.has(type)
    streams.open({ tenant, mode, keyId, from, wants, isKeyValid }, reply.raw, reply.getHeaders() as OutgoingHttpHeaders)
    return reply.hijack()
  }
}

export function eventScope({ tenant, mode }: Whose): string {
  return `events/${tenant}/${mode}`
}

/** `Last-Event-ID` is what a reconnecting client adds by itself, so it is the later of the two. */
function startOf(request: FastifyRequest, cursor: string | undefined, ports: EventRoutePorts): Offsets | undefined {
  const lastId = request.headers['last-event-id']
  const [text, field] = typeof lastId === 'string' && lastId !== '' ? [lastId, 'Last-Event-ID'] : [cursor, 'cursor']
  if (text === undefined) return undefined
  const place = ports.cursors.read(eventScope(ports.callers.of(request)), text, field)
  return decodeOffsets(place, ports.follower.topics.length)
}

async function list(
  whose: Whose,
  { follower, cursors }: EventRoutePorts,
  { wanted, begin, limit }: { wanted: ReadonlySet<string>; begin: Offsets | undefined; limit: number },
) {
  const data: ReturnType<typeof toCloudEvent>[] = []
  let offsets = begin ?? (await follower.beginning())
  let isLast = false
  for (let pages = 0; pages < PAGES_MAX && !isLast && data.length < limit; pages++) {
    const page = await follower.page(offsets)
    isLast = page.isLast
    offsets = page.offsets
    for (const event of page.events) {
      if (!wanted.has(event.type)) continue
      const browsed = event.read()
      if (browsed.tenant !== whose.tenant || browsed.mode !== whose.mode) continue
      data.push(toCloudEvent(browsed))
      if (data.length < limit) continue
      isLast &&= event === page.events.at(-1)
      offsets = event.offsets
      break
    }
  }
  // Events go on for ever, so there is always a place to ask again from.
  return { data, has_more: !isLast, next_cursor: cursors.write(eventScope(whose), encodeOffsets(offsets)) }
}

function wantsStream(accept: string | undefined): boolean {
  return /(?:^|,)\s*text\/event-stream\s*(?:;|,|$)/i.test(accept ?? '')
}
