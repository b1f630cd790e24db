import { Type } from 'typebox'

/** CloudEvents 1.0 in its JSON format. */
export const CloudEvent = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Type.String(),
  source: Type.String({ description: 'The topic: /topics/payments' }),
  type: Type.String({ description: 'As in payment.captured; what it means is in /asyncapi.json' }),
  subject: Type.String({ description: 'What it is about: a payment, a payout.' }),
  time: Type.String({ format: 'date-time' }),
  datacontenttype: Type.Literal('application/json'),
  dataschema: Type.String(),
  partitionkey: Type.String({ description: 'Events of one key are in order.' }),
  traceparent: Type.String({ description: 'W3C trace context.' }),
  tenant: Type.String(),
  mode: Type.String(),
  causationid: Type.Optional(Type.String()),
  correlationid: Type.String(),
  data: Type.Unknown({ description: 'As /asyncapi.json says of its type; what is personal reads "sealed".' }),
})

/** RFC 9457, as every mistake is answered. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'Where the refusal is explained: /errors/amount_invalid' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String({ description: 'What would be right; never repeats a value that was sent.' })),
    field: Type.Optional(Type.String({ description: 'What was wrong: amount, metadata.order, Idempotency-Key' })),
    code: Type.String({ description: 'What a program goes by.' }),
    traceId: Type.String({ description: 'Finds the request in logs and events.' }),
  },
  { description: 'A problem of RFC 9457.' },
)
