import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { type BrowsedEvent, eventsAfter, eventsNamed, positionBeforeLast, toCloudEvent } from '#log'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { stopRequest } from './stop-signal.ts'

const LAST = 20
const PAGE = 500
const LOOK_MS = 250

export const tail: Command = {
  name: 'events tail',
  summary: 'Show the last events on the log, a line each',
  options: {
    topic: { type: 'string', value: 'TOPIC', summary: 'Only of this topic' },
    follow: { type: 'boolean', summary: 'Go on with what comes, until Ctrl-C' },
  },
  details: ['What is sealed is shown as "sealed".'],
  run: (call) =>
    withDatabase(call, async (database) => {
      const topic = call.text('topic') ?? null
      let position = await show(call, database, topic, await positionBeforeLast(database, topic, LAST))
      if (!call.isSet('follow')) return 0
      const stopped = stopRequest(call)
      while (!stopped.aborted) {
        await systemClock.sleep(LOOK_MS, stopped)
        position = await show(call, database, topic, position)
      }
      return 0
    }),
}

/** Prints what comes after a position, and returns where it ends. */
async function show(call: Call, database: Database, topic: string | null, after: bigint): Promise<bigint> {
  const events = await eventsAfter(database, after, topic, PAGE)
  for (const event of events) call.print(lineOf(event))
  return events.at(-1)?.position ?? after
}

function lineOf(event: BrowsedEvent): string {
  const { time, topic, partition, offset, type, key, tenant, mode } = event
  const { data } = toCloudEvent(event)
  return `${time.toISOString()} ${topic}/${partition}@${offset} ${type} ${key} ${tenant}/${mode} ${JSON.stringify(data)}`
}

export const showEvents: Command = {
  name: 'events show',
  summary: 'Show an event by its id, or all events of a key, as CloudEvents',
  arguments: 'ID',
  run: (call) =>
    withDatabase(call, async (database) => {
      const [name = ''] = call.arguments
      const events = await eventsNamed(database, name)
      for (const event of events) call.print(JSON.stringify(toCloudEvent(event), null, 2))
      if (events.length > 0) return 0
      call.warn(`No event has the id or the key ${name}.`)
      return 1
    }),
}
