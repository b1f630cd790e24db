import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import type { Random } from '#kernel/random'
import type { Tracer } from '#kernel/tracing'
import { type ConsumerLoop, type LoopReport, startConsumer } from './consumer.ts'
import type { EventType } from './event.ts'
import { createLeaseKeeper, startHeartbeat } from './lease.ts'
import { DECIDER_LINGER_MS, PROJECTION_LINGER_MS } from './linger.ts'
import { type Decider, groupOf, type Module, type NewDelivery, type Projection, roleOf } from './module.ts'
import { startNotify } from './notify.ts'
import { PARTITIONS } from './partitioner.ts'
import * as sql from './sql.ts'
import type { Consumer } from './step.ts'
import { startTimers, TIMERS_GROUP } from './timers.ts'
import type { Wakeups } from './wakeup.ts'

export type LogOptions = {
  readonly modules: readonly Module[]
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly wakeups: Wakeups
  /** Name of this process, different from every other's, its own earlier life included. */
  readonly process: string
  /** Groups beside the modules' own that need a lease, with one partition each: deliverers. */
  readonly soloGroups: readonly string[]
  /** The same, with as many partitions as a topic has: work that processes share. */
  readonly sharedGroups?: readonly string[]
  enqueue(tx: Tx, deliveries: readonly NewDelivery[]): Promise<void>
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  report(report: LoopReport): void
}

export type RunningLog = {
  readonly loops: readonly ConsumerLoop[]
  readonly leases: { of(group: string): sql.Leases }
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
  for (const name of soloGroups) await sql.registerGroup(database, { name, topics: [], partitions: 1, from: 'now' })
}

/** Starts every consumer, the timers and the heartbeat of this process. */
export async function startLog(options: LogOptions): Promise<RunningLog> {
  const { database, clock, wakeups, modules } = options
  const consumers = modules.flatMap(consumersOf)
  const shared = [TIMERS_GROUP, ...(options.sharedGroups ?? [])]
  const groups = [...consumers.map(({ group }) => group), ...shared, ...options.soloGroups]
  const keeper = createLeaseKeeper(database, options.process, groups)
  await keeper.tick()

  const failed = (error: unknown): void =>
    options.report({ kind: 'fault', group: 'log.leases', error: error instanceof Error ? error.name : 'unknown' })
  const stopHeartbeat = startHeartbeat(keeper, clock, failed)
  const stopNotify = await startNotify(database, wakeups, clock, { process: options.process, isAlone: keeper.isAlone })
  const context = { ...options, leases: keeper }
  const loops = consumers.map((consumer) => startConsumer(consumer, context))
  const timers = startTimers(context)

  return {
    loops,
    leases: keeper,
    async stop() {
      await Promise.all([timers.stop(), ...loops.map((loop) => loop.stop())])
      await stopHeartbeat()
      await stopNotify()
      await keeper.leave().catch(failed)
    },
  }
}

export function topicsOf(modules: readonly Module[]): string[] {
  return [...new Set(modules.flatMap((module) => module.events.map(({ topic }) => topic)))].sort()
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
