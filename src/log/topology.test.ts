import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { asyncApiOf } from './asyncapi.ts'
import { eventType } from './event.ts'
import { decider, type Module, projection } from './module.ts'
import { topologyOf } from './topology.ts'

const asked = eventType({
  type: 'meal.ordered',
  topic: 'meals.inbox',
  sealed: ['guest'],
  schema: Type.Object({ dish: Type.String(), guest: Type.String() }),
})
const cooked = eventType({ type: 'meal.cooked', topic: 'meals', schema: Type.Object({ dish: Type.String() }) })
const overdue = eventType({ type: 'meal.overdue', topic: 'meals.timers', schema: Type.Object({}) })
const eaten = eventType({ type: 'meal.eaten', topic: 'guests', schema: Type.Object({}) })

const kitchen: Module = {
  name: 'kitchen',
  summary: 'Cooks.',
  events: [asked, cooked, overdue],
  accepts: [asked],
  deciders: [decider({ name: 'cook', reads: [asked, overdue, eaten], publishes: [cooked], handle: async () => ({}) })],
}
const hall: Module = {
  name: 'hall',
  summary: 'Serves.',
  events: [eaten],
  destinations: ['table:1'],
  projections: [projection({ name: 'menu', reads: [cooked], tables: [], fold: async () => {} })],
}

test('the topology shows who publishes, who reads, and what goes between them', () => {
  const lines = topologyOf([kitchen, hall])
    .split('\n')
    .map((line) => line.trim())
  assert.ok(lines.includes('door -->|meals.inbox| kitchen_cook'))
  assert.ok(lines.includes('kitchen_cook -->|meals| hall_menu'))
  assert.ok(lines.includes('timers([timers]) -->|meals.timers| kitchen_cook'))
  assert.ok(lines.includes('table_1 -->|guests| kitchen_cook'))
  assert.ok(lines.includes('hall_menu[("menu")]'))
  assert.equal(lines.filter((line) => line.includes('-->')).length, 5)
})

test('the AsyncAPI document has a channel for each topic and marks what is sealed', () => {
  const { channels, components, operations } = asyncApiOf([kitchen, hall], { title: 'Inn', version: '1' })
  assert.deepEqual(Object.keys(channels), ['guests', 'meals', 'meals.inbox', 'meals.timers'])
  const schema = components.schemas['meal.ordered.v1']
  assert.deepEqual(schema && 'properties' in schema && schema.properties, {
    dish: { type: 'string' },
    guest: { type: 'string', 'x-sealed': true },
  })
  assert.deepEqual(operations['kitchen.cook.publish.meals'], {
    action: 'send',
    channel: { $ref: '#/channels/meals' },
    summary: 'The decider kitchen.cook publishes.',
    messages: [{ $ref: '#/channels/meals/messages/meal.cooked' }],
  })
})
