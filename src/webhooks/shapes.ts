import { Type } from 'typebox'
import { PATTERNS_MAX } from './patterns.ts'
import { NEWEST_VERSION, payloadVersions } from './payload.ts'

const closed = { additionalProperties: false } as const
const Nullable = <Of extends Parameters<typeof Type.Union>[0][number]>(of: Of) => Type.Union([of, Type.Null()])
const Sequence = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const Url = Type.String({ minLength: 1, maxLength: 2_048, description: 'Where messages are sent: https in live mode.' })
const Patterns = Type.Array(Type.String({ pattern: '^(?:\\*|[a-z_.]{1,64}\\*?)$' }), {
  minItems: 1,
  maxItems: PATTERNS_MAX,
  description: 'Event types: payment.captured, payment.* for all that begin so, * for all.',
})
const Description = Type.String({ maxLength: 255, description: 'Yours, for telling endpoints apart. Kept sealed.' })
const RateLimit = Nullable(
  Type.Integer({
    minimum: 1,
    maximum: 100_000,
    description: 'Messages a second at most; null for as many as it takes.',
  }),
)
const Version = Type.Union(
  payloadVersions.map((version) => Type.Literal(version)),
  { description: `Shape of the payload; ${NEWEST_VERSION} is the newest, and what an endpoint is made with.` },
)

export const NewEndpoint = Type.Object(
  {
    url: Url,
    events: Patterns,
    description: Type.Optional(Description),
    rate_limit: Type.Optional(RateLimit),
    version: Type.Optional(Version),
  },
  closed,
)
export const EndpointPatch = Type.Object(
  {
    url: Type.Optional(Url),
    events: Type.Optional(Patterns),
    description: Type.Optional(Description),
    rate_limit: Type.Optional(RateLimit),
    version: Type.Optional(Version),
    status: Type.Optional(Type.Union([Type.Literal('enabled'), Type.Literal('disabled')])),
  },
  closed,
)

const shown = {
  id: Type.String(),
  url: Type.String(),
  description: Type.String(),
  events: Type.Array(Type.String()),
  version: Type.String(),
  status: Type.String({ description: 'enabled or disabled' }),
  reason: Nullable(Type.String({ description: 'Why it is disabled: failing, gone (it answered 410) or by_hand' })),
  failing_since: Nullable(Type.String()),
  disabled_at: Nullable(Type.String()),
  rate_limit: Nullable(Type.Integer()),
  old_secrets_until: Type.Array(Type.String()),
  last_sequence: Sequence,
  backlog: Type.Integer({ description: 'Messages that are written and not delivered yet.' }),
  is_behind: Type.Boolean({ description: 'Whether so much is open that what is new waits in the stream.' }),
  created_at: Type.String(),
  updated_at: Type.String(),
}
export const Endpoint = Type.Object(shown)
export const Secret = Type.String({ description: 'whsec_…: signs messages. Shown this once, and never again.' })
export const CreatedEndpoint = Type.Object({ ...shown, secret: Secret })
export const NewSecret = Type.Object({ secret: Secret })

export const Rotation = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 7 * 24 * 60 * 60,
        description: 'How long the old one signs as well; a day.',
      }),
    ),
  },
  closed,
)
export const Resumption = Type.Object(
  { after: Type.Optional({ ...Sequence, description: 'What you have pulled up to: it is not sent any more.' }) },
  closed,
)
export const Replay = Type.Object(
  {
    after: Type.Optional({ ...Sequence, description: 'Everything behind this sequence is sent once more.' }),
    since: Type.Optional(
      Type.String({
        pattern: '^[12]\\d{3}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:Z|[+-]\\d{2}:\\d{2})$',
        description: 'Or everything from this time on, as in 2026-11-21T09:30:00Z',
      }),
    ),
  },
  closed,
)
export const Replayed = Type.Object({ after: Sequence, through: Sequence })
export const Resent = Type.Object({ sequence: Sequence })
export const Tested = Type.Object({ event: Type.String() })

const digits = { pattern: '^(?:0|[1-9][0-9]{0,14})$' } as const
export const pullQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ ...digits, description: 'The last sequence you have; 0 for all' })),
    limit: Type.Optional(
      Type.String({ pattern: '^(?:[1-9][0-9]{0,2}|1000)$', description: '1 to 1000; 100 by default' }),
    ),
  },
  closed,
)
export const Pulled = Type.Object({
  data: Type.Array(
    Type.Object({ sequence: Sequence, payload: Type.Unknown({ description: 'The same that is sent.' }) }),
  ),
  has_more: Type.Boolean(),
  next_after: Sequence,
})

export const sequenceFilter = Type.Optional(Type.String({ ...digits, description: 'Of this message only' }))
const headers = Type.Record(Type.String(), Type.String())
export const Attempt = Type.Object({
  sequence: Sequence,
  attempt: Type.Integer(),
  outcome: Type.String({ description: 'taken, failed, or abandoned: failed for days, and given up' }),
  reason: Nullable(Type.String({ description: 'http_500, timeout, connection, address_refused, redirect …' })),
  started_at: Type.String(),
  duration_ms: Type.Integer(),
  request: Nullable(Type.Object({ headers, body: Type.Unknown() })),
  response: Nullable(Type.Object({ status: Type.Integer(), headers, body: Type.String() })),
})

export const params = Type.Object({ id: Type.String({ description: 'As in we_…' }) })
export const messageParams = Type.Object({
  id: Type.String({ description: 'As in we_…' }),
  sequence: Type.String({ ...digits, description: 'Of the message, as in millrace-sequence' }),
})
