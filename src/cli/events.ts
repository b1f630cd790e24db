import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import {
  archivedEventsNamed,
  archivedSegments,
  type BrowsedEvent,
  createHistory,
  eventsAfter,
  eventsNamed,
  positionBeforeLast,
  stretchSince,
  toCloudEvent,
} from '#log'
import { archiveOf } from './archive.ts'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { modulesOf } from './documents.ts'
import { stopRequest } from './stop-signal.ts'

const LAST = 20
const PAGE = 500
const LOOK_MS = 250

export const tail: Command = {
  name: 'events tail',
  summary: 'Show the last events on the log, a line each',
  options: {
    topic: { type: 'string', value: 'TOPIC', summary: 'Only of this topic' },
    since: { type: 'string', value: 'TIME', summary: 'From then on, as 2026-11-21T09:30Z; of the archive too' },
    follow: { type: 'boolean', summary: 'Go on with what comes, until Ctrl-C' },
  },
  details: ['What is sealed is shown as "sealed".'],
  run: (call) =>
    withDatabase(call, async (database, config) => {
      const topic = call.text('topic') ?? null
      const since = sinceOf(call)
      let position = since
        ? await showSince(call, database, config, since)
        : await show(call, database, topic, await positionBeforeLast(database, topic, LAST))
      if (!call.isSet('follow')) return 0
      const stopped = stopRequest(call)
      while (!stopped.aborted) {
        await systemClock.sleep(LOOK_MS, stopped)
        position = await show(call, database, topic, position, since)
      }
      return 0
    }),
}

function sinceOf(call: Call): Date | undefined {
  const text = call.text('since')
  if (text === undefined) return undefined
  const since = new Date(text)
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(since.getTime())) return since
  throw new UsageError('--since must be a time as in 2026-11-21T09:30Z.')
}

/** Prints everything since an instant, and returns where it ends. */
async function showSince(call: Call, database: Database, config: Config, since: Date): Promise<bigint> {
  const topic = call.text('topic')
  const declared = (await modulesOf(call)).flatMap(({ events }) => events.map((event) => event.topic))
  const topics = topic === undefined ? [...new Set(declared)].sort() : [topic]
  const archive = archiveOf(config)
  const history = createHistory({ database, ...(archive ? { archive } : {}) })
  let position = 0n
  for await (const rows of history.read(await stretchSince(database, topics, since))) {
    for (const { event, ...place } of rows) {
      if (place.time >= since) call.print(lineOf({ ...place, ...JSON.parse(event) }))
      position = place.position
    }
  }
  return position === 0n ? positionBeforeLast(database, topic ?? null, 1) : position
}

/** Prints what comes after a position, and returns where it ends. */
async function show(
  call: Call,
  database: Database,
  topic: string | null,
  after: bigint,
  since = new Date(0),
): Promise<bigint> {
  const events = await eventsAfter(database, after, topic, PAGE)
  for (const event of events) if (event.time >= since) call.print(lineOf(event))
  return events.at(-1)?.position ?? after
}

function lineOf(event: BrowsedEvent): string {
  const { time, topic, partition, offset, type, key, tenant, mode } = event
  const { data } = toCloudEvent(event)
  return `${time.toISOString()} ${topic}/${partition}@${offset} ${type} ${key} ${tenant}/${mode} ${JSON.stringify(data)}`
}

export const showEvents: Command = {
  name: 'events show',
  summary: 'Show an event by its id, or all events of a key, as CloudEvents; archived ones too',
  arguments: 'ID',
  run: (call) =>
    withDatabase(call, async (database, config) => {
      const [name = ''] = call.arguments
      const archive = archiveOf(config)
      const archived = archive ? await archivedEventsNamed(database, archive, name) : []
      const known = new Set(archived.map(({ id }) => id))
      const events = [...archived, ...(await eventsNamed(database, name)).filter(({ id }) => !known.has(id))]
      for (const event of events) call.print(JSON.stringify(toCloudEvent(event), null, 2))
      const unseen = archive ? 0 : await archivedSegments(database)
      if (unseen > 0)
        call.warn(`Not looked at: ${unseen} archived segments. Set MILLRACE_ARCHIVE_DIR to where they are.`)
      if (events.length > 0) return 0
      call.warn(`No event has the id or the key ${name}.`)
      return 1
    }),
}
