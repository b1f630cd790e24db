import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import type { Random } from '#kernel/random'
import type { Tracer } from '#kernel/tracing'
import { ARCHIVE_GROUP, type ArchiveSettings, startArchiver } from './archiver.ts'
import { type ConsumerLoop, type LoopReport, startConsumer } from './consumer.ts'
import type { EventType } from './event.ts'
import { createLeaseKeeper, type LeaseKeeper, startHeartbeat } from './lease.ts'
import { DECIDER_LINGER_MS, PROJECTION_LINGER_MS } from './linger.ts'
import { type Decider, groupOf, type Module, type NewDelivery, type Projection, roleOf } from './module.ts'
import { startNotify } from './notify.ts'
import { PARTITIONS } from './partitioner.ts'
import * as sql from './sql.ts'
import type { Consumer } from './step.ts'
import type { Tail } from './tail.ts'
import { startTimers, TIMERS_GROUP } from './timers.ts'
import type { Wakeups } from './wakeup.ts'

export type LogOptions = {
  readonly modules: readonly Module[]
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly wakeups: Wakeups
  /** Shared with the door. Absent: whatever is next is read from the table. */
  readonly tail?: Tail
  /** Name of this process, different from every other's, its own earlier life included. */
  readonly process: string
  /** Groups beside the modules' own that need a lease, with one partition each: deliverers. */
  readonly soloGroups: readonly string[]
  /** The same, with as many partitions as a topic has: work that processes share. */
  readonly sharedGroups?: readonly string[]
  enqueue(tx: Tx, deliveries: readonly NewDelivery[]): Promise<void>
  /** Absent: this process archives nothing, and drops nothing. */
  readonly archiving?: ArchiveSettings
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  report(report: LoopReport): void
}

export type RunningLog = {
  readonly loops: readonly ConsumerLoop[]
  readonly leases: Pick<LeaseKeeper, 'of'> & Partial<Pick<LeaseKeeper, 'giveBack'>>
  /** Ends the loops after their batch, then gives the leases back. */
  stop(): Promise<void>
}

/** Topics and groups as the modules declare them. Safe to repeat. */
export async function registerLog(
  database: Database,
  modules: readonly Module[],
  soloGroups: readonly string[],
  sharedGroups: readonly string[] = [],
) {
  for (const topic of topicsOf(modules)) await sql.createTopic(database, topic, PARTITIONS)
  for (const { group, topics } of modules.flatMap(consumersOf)) {
    await sql.registerGroup(database, { name: group, topics, partitions: PARTITIONS, from: 'beginning' })
  }
  for (const name of [TIMERS_GROUP, ...sharedGroups]) {
    await sql.registerGroup(database, { name, topics: [], partitions: PARTITIONS, from: 'now' })
  }
  for (const name of [ARCHIVE_GROUP, ...soloGroups]) {
    await sql.registerGroup(database, { name, topics: [], partitions: 1, from: 'now' })
  }
}

/** Starts every consumer, the timers and the heartbeat of this process. */
export async function startLog(options: LogOptions): Promise<RunningLog> {
  const { database, clock, wakeups, modules } = options
  const consumers = modules.flatMap(consumersOf)
  const shared = [TIMERS_GROUP, ...(options.sharedGroups ?? [])]
  const solo = [...options.soloGroups, ...(options.archiving ? [ARCHIVE_GROUP] : [])]
  const groups = [...consumers.map(({ group }) => group), ...shared, ...solo]
  const keeper = createLeaseKeeper(database, options.process, groups, wakeups)
  await sql.forgetDead(database)
  await keeper.tick()

  const failed = (error: unknown): void =>
    options.report({ kind: 'fault', group: 'log.leases', error: error instanceof Error ? error.name : 'unknown' })
  const stopHeartbeat = startHeartbeat(keeper, { clock, wakeups }, failed)
  const about = { process: options.process, isAlone: keeper.isAlone }
  const stopNotify = await startNotify(database, wakeups, clock, about).catch(async (error) => {
    await stopHeartbeat()
    throw error
  })
  options.tail?.serve(consumers, keeper)
  const context = { ...options, leases: keeper }
  const loops = consumers.map((consumer) => startConsumer(consumer, context))
  const timers = startTimers(context)
  const archiver = options.archiving && startArchiver({ ...context, ...options.archiving })

  return {
    loops,
    leases: keeper,
    async stop() {
      await Promise.all([timers.stop(), archiver?.stop(), ...loops.map((loop) => loop.stop())])
      await stopHeartbeat()
      await keeper.leave().catch(failed)
      await stopNotify()
    },
  }
}

export function topicsOf(modules: readonly Module[]): string[] {
  return [...new Set(modules.flatMap((module) => module.events.map(({ topic }) => topic)))].sort()
}

/** By group and type, the version of an event up to which the code of these modules understands it. */
export function versionsRead(modules: readonly Module[]): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const versions = ({ types }: Consumer) => new Map([...types].map(([type, { version }]) => [type, version]))
  return new Map(modules.flatMap(consumersOf).map((consumer) => [consumer.group, versions(consumer)]))
}

export function consumersOf(module: Module): Consumer[] {
  const { name, deciders = [], projections = [] } = module
  return [
    ...deciders.map((made) => deciderConsumer(name, made)),
    ...projections.map((made) => projectionConsumer(name, made)),
  ]
}

function deciderConsumer(module: string, { name, reads, publishes, handle }: Decider): Consumer {
  return {
    ...consumerBase(module, name, reads),
    publishes: new Set(publishes),
    lingerMs: DECIDER_LINGER_MS,
    spendsTimers: true,
    handle: (events, tx, now) => handle(events as never, { tx, now }),
  }
}

function projectionConsumer(module: string, { name, reads, fold }: Projection): Consumer {
  return {
    ...consumerBase(module, name, reads),
    publishes: new Set(),
    lingerMs: PROJECTION_LINGER_MS,
    spendsTimers: false,
    handle: async (events, tx) => {
      await fold(events as never, tx)
      return {}
    },
  }
}

function consumerBase(module: string, name: string, reads: readonly EventType[]) {
  return {
    group: groupOf(module, name),
    role: roleOf(module),
    topics: [...new Set(reads.map(({ topic }) => topic))].sort(),
    types: new Map(reads.map((of) => [of.type, of])),
  }
}
