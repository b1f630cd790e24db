import { schemaName } from './cloud-event.ts'
import type { EventType } from './event.ts'
import { groupOf, type Module } from './module.ts'
import { PARTITIONS } from './partitioner.ts'
import { topicsOf } from './runtime.ts'

/** The AsyncAPI 3.0 document of what the modules declare: topics as channels, event types as messages. */
export function asyncApiOf(modules: readonly Module[], about: { title: string; version: string }) {
  const types = modules.flatMap(({ events }) => events)
  const owned = new Map(modules.flatMap(({ name, events }) => events.map((of) => [of, name])))
  return {
    asyncapi: '3.0.0',
    info: {
      ...about,
      description: 'Every event is a CloudEvents 1.0 record. Fields marked x-sealed hold encrypted personal data.',
    },
    defaultContentType: 'application/cloudevents+json',
    channels: Object.fromEntries(topicsOf(modules).map((topic) => [topic, channelOf(topic, types)])),
    operations: Object.fromEntries([...sends(modules), ...receives(modules)]),
    components: {
      messages: Object.fromEntries(types.map((of) => [of.type, messageOf(of, owned.get(of) ?? '')])),
      schemas: Object.fromEntries([
        ['CloudEvent', cloudEventHeaders],
        ...types.map((of) => [schemaName(of.type, of.version), schemaOf(of)]),
      ]),
    },
  }
}

function channelOf(topic: string, types: readonly EventType[]) {
  const onIt = types.filter((of) => of.topic === topic)
  return {
    address: topic,
    description: `${PARTITIONS} partitions; events of one key are in order.`,
    messages: Object.fromEntries(onIt.map(({ type }) => [type, ref('components/messages', type)])),
  }
}

function messageOf(of: EventType, owner: string) {
  return {
    name: of.type,
    title: of.type,
    summary: `Owned by ${owner}, version ${of.version}.`,
    contentType: 'application/cloudevents+json',
    headers: ref('components/schemas', 'CloudEvent'),
    payload: ref('components/schemas', schemaName(of.type, of.version)),
  }
}

/** A TypeBox schema is a JSON Schema; its sealed fields are marked. */
function schemaOf({ schema, sealed }: EventType): object {
  const { properties = {} }: { properties?: Record<string, object> } = schema
  const marked = sealed.map((field) => [field, { ...properties[field], 'x-sealed': true }])
  return { ...schema, properties: { ...properties, ...Object.fromEntries(marked) } }
}

type Operation = [name: string, operation: object]

function sends(modules: readonly Module[]): Operation[] {
  return modules.flatMap(({ name, accepts = [], deciders = [] }) => [
    ...byTopic(accepts).map(
      ([topic, types]): Operation => [
        `accept.${topic}`,
        operation('send', topic, types, `Outside requests become events in the inbox of ${name}.`),
      ],
    ),
    ...deciders.flatMap((made) =>
      byTopic(made.publishes).map(([topic, types]): Operation => {
        const group = groupOf(name, made.name)
        return [`${group}.publish.${topic}`, operation('send', topic, types, `The decider ${group} publishes.`)]
      }),
    ),
  ])
}

function receives(modules: readonly Module[]): Operation[] {
  return modules.flatMap(({ name, deciders = [], projections = [] }) =>
    [...deciders, ...projections].flatMap((consumer) =>
      byTopic(consumer.reads).map(([topic, types]): Operation => {
        const group = groupOf(name, consumer.name)
        return [`${group}.read.${topic}`, operation('receive', topic, types, `The ${consumer.kind} ${group} reads.`)]
      }),
    ),
  )
}

function operation(action: 'send' | 'receive', topic: string, types: readonly EventType[], summary: string) {
  const messages = types.map(({ type }) => ref(`channels/${topic}/messages`, type))
  return { action, channel: ref('channels', topic), summary, messages }
}

function byTopic(types: readonly EventType[]): [topic: string, types: EventType[]][] {
  return [...Map.groupBy(types, ({ topic }) => topic)]
}

function ref(place: string, name: string): { $ref: string } {
  return { $ref: `#/${place}/${name}` }
}

const text = { type: 'string' } as const

/** CloudEvents 1.0 attributes; those without an underscore in their name because the standard allows none. */
const cloudEventHeaders = {
  type: 'object',
  required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'partitionkey', 'traceparent', 'tenant', 'mode'],
  properties: {
    specversion: { const: '1.0' },
    id: text,
    source: { type: 'string', format: 'uri-reference' },
    type: text,
    subject: text,
    time: { type: 'string', format: 'date-time' },
    datacontenttype: { const: 'application/json' },
    dataschema: { type: 'string', format: 'uri-reference' },
    partitionkey: text,
    traceparent: text,
    tenant: text,
    mode: { enum: ['test', 'live'] },
    causationid: text,
    correlationid: text,
  },
} as const
