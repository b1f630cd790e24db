import { Type } from 'typebox'
import { type DataOf, eventType } from '#log'

const Sequence = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const topic = 'webhooks'

/** Somebody asked for webhooks. Key: endpoint, as for all of these. */
export const endpointCreated = eventType({
  type: 'webhook.endpoint_created',
  topic,
  schema: Type.Object({ patterns: Type.Array(Type.String()), version: Type.String() }),
})

/** Names what changed, never what it is: an address may hold a secret. */
export const endpointChanged = eventType({
  type: 'webhook.endpoint_changed',
  topic,
  schema: Type.Object({ fields: Type.Array(Type.String()) }),
})

export const endpointDeleted = eventType({ type: 'webhook.endpoint_deleted', topic, schema: Type.Object({}) })

/** Nothing is sent any more. Its stream goes on, and can be pulled. */
export const endpointDisabled = eventType({
  type: 'webhook.endpoint_disabled',
  topic,
  schema: Type.Object({
    reason: Type.Union([Type.Literal('failing'), Type.Literal('gone'), Type.Literal('by_hand')]),
    failingSince: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
})
export type DisabledReason = DataOf<typeof endpointDisabled>['reason']

export const endpointEnabled = eventType({
  type: 'webhook.endpoint_enabled',
  topic,
  schema: Type.Object({ by: Type.Union([Type.Literal('hand'), Type.Literal('probe')]) }),
})

/** More is open than may be: what comes from `sequence` on waits in the stream. */
export const endpointFellBehind = eventType({
  type: 'webhook.endpoint_fell_behind',
  topic,
  schema: Type.Object({ sequence: Sequence, backlog: Sequence }),
})

/** All of the stream up to `sequence` has been handed to deliveries again. */
export const endpointCaughtUp = eventType({
  type: 'webhook.endpoint_caught_up',
  topic,
  schema: Type.Object({ sequence: Sequence }),
})

/** A message failed for days, was given up, and the next of its payment goes. It can be pulled, and sent again. */
export const deliveryAbandoned = eventType({
  type: 'webhook.delivery_abandoned',
  topic,
  schema: Type.Object({ sequence: Sequence, event: Type.String(), attempts: Type.Integer({ minimum: 1 }) }),
})

/** Somebody asked for a message to try the endpoint with: it goes to this endpoint only, whatever it subscribed to. */
export const endpointTested = eventType({ type: 'webhook.endpoint_tested', topic, schema: Type.Object({}) })
