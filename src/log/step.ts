import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import { type Appended, append, remember } from './append.ts'
import { changeTimers } from './change-timers.ts'
import { decode, encode } from './codec.ts'
import type { EventType, NewEvent, RecordedEvent } from './event.ts'
import { type Decision, deliveryGroup, type NewDelivery } from './module.ts'
import * as sql from './sql.ts'
import type { Tail, TailEvent } from './tail.ts'
import { takeNext } from './take.ts'

/** A consumer as the loop runs it: a decider or a projection, made alike. */
export type Consumer = {
  readonly group: string
  readonly role: string
  readonly topics: readonly string[]
  readonly types: ReadonlyMap<string, EventType>
  readonly publishes: ReadonlySet<EventType>
  /** Longest pause before a batch under load, in ms. */
  readonly lingerMs: number
  /** Firings of timers are its own to take: a projection only reads them, now or in a replay. */
  readonly spendsTimers: boolean
  handle(events: readonly RecordedEvent[], tx: Tx, now: number): Promise<Decision>
}

export type StepContext = {
  readonly database: Database
  readonly clock: Clock
  /** Absent: whatever is next is read from the table. */
  readonly tail?: Tail
  /** Writes deliveries in the consumer's transaction: `#delivery`'s door. */
  enqueue(tx: Tx, deliveries: readonly NewDelivery[]): Promise<void>
}

/** Bounds of one transaction; `total` shrinks while a poison event is being cornered. */
export type Bounds = { readonly perPartition: number; readonly total: number; readonly bytes: number }

export type StepResult = {
  /** Events the transaction moved past. */
  readonly events: number
  /** Events handed to the handler. */
  readonly handled: number
  readonly parked: number
  readonly isFull: boolean
  /** Partitions that hold an event of a newer version than this code knows. */
  readonly stopped: readonly { readonly partition: number; readonly type: string; readonly version: number }[]
  /** Topics and destinations that have something new. */
  readonly wake: readonly string[]
  readonly done: Done
}

/** What was handled and decided, once it is committed: for whoever counts and traces. */
export type Done = {
  readonly rows: readonly sql.EventRow[]
  readonly published: readonly NewEvent[]
  /** Events of the timers that were set. */
  readonly scheduled: readonly NewEvent[]
}

/** A batch that could not be handled: the caller corners the one event at fault, or tries again. */
export class PoisonEvent extends Error {
  override name = 'PoisonEvent'
  /** All that the transaction would have moved past, and not only what was handled: parked successors lie between. */
  readonly rows: readonly (sql.EventRow | sql.SkippedRow)[]

  constructor(rows: readonly (sql.EventRow | sql.SkippedRow)[], cause: unknown) {
    super('the batch could not be handled', { cause })
    this.rows = rows
  }
}

const NO_EVENTS: Done = { rows: [], published: [], scheduled: [] }
const NOTHING: StepResult = { events: 0, handled: 0, parked: 0, isFull: false, stopped: [], wake: [], done: NO_EVENTS }

/**
 * One transaction of a consumer: takes what is next on the leased partitions, handles it, and commits
 * effects, timers, deliveries, offset and facts together. A crash anywhere repeats the whole step.
 */
export async function step(
  consumer: Consumer,
  leases: sql.Leases,
  bounds: Bounds,
  context: StepContext,
): Promise<StepResult> {
  if (leases.size === 0) return NOTHING
  const { group, topics } = consumer
  let committed = (): void => {}
  const result = await context.database.transaction({ role: consumer.role }, async (tx): Promise<StepResult> => {
    const types = [...consumer.types.keys()]
    const { rows, read } = await takeNext(tx, { group, leases, topics, types, ...bounds }, context.tail)
    const sorted = sort(rows, consumer)
    if (sorted.passed.length === 0) return { ...NOTHING, stopped: sorted.stopped }

    if (sorted.parked.length > 0) await sql.park(tx, group, sorted.parked, null)
    const progress = progressOf(sorted.passed)
    const moveOn = () => sql.advance(tx, group, progress)
    const handled = await handleRows(consumer, sorted.ready, tx, context, moveOn).catch((error: unknown) => {
      throw new PoisonEvent(sorted.passed, error)
    })
    const { wake, done } = handled
    committed = () => {
      if (context.tail) keep(context.tail, { group, read, progress, ...handled })
    }
    return {
      events: sorted.passed.length,
      handled: sorted.ready.length,
      parked: sorted.parked.length,
      isFull: rows.length >= bounds.total || rows.length >= bounds.perPartition * leases.size,
      stopped: sorted.stopped,
      wake,
      done,
    }
  })
  committed()
  return result
}

type Kept = {
  readonly group: string
  readonly read: readonly TailEvent[]
  readonly progress: readonly sql.Progress[]
  readonly done: Done
  readonly appended: Appended | undefined
}

/** What was read is kept where other groups of this process will ask for it, and what was appended for whoever reads it. */
function keep(tail: Tail, { group, read, progress, done, appended }: Kept): void {
  tail.add(read.filter(({ row }) => tail.isShared(row.topic)))
  if (appended) remember(tail, appended, done.published)
  tail.passed(group, progress)
}

/**
 * Parks events that stand at the head of their partitions, so that the rest flows. `leases` are those under which
 * they were read: with newer ones another process may have been here in between.
 */
export async function parkHead(
  consumer: Consumer,
  leases: sql.Leases,
  { rows, error }: { rows: readonly sql.Place[]; error: string },
  { database }: StepContext,
): Promise<boolean> {
  return database.transaction({}, async (tx) => {
    const held = new Set(await sql.fence(tx, consumer.group, leases))
    const ours = rows.filter(({ partition }) => held.has(partition))
    if (ours.length === 0) return false
    await sql.park(tx, consumer.group, ours, error)
    await sql.advance(tx, consumer.group, progressOf(ours))
    return true
  })
}

/** Runs the handler on rows and writes what it decided; the append is the last act, behind `moveOn`. */
export async function handleRows(
  consumer: Consumer,
  rows: readonly sql.EventRow[],
  tx: Tx,
  context: StepContext,
  moveOn: () => Promise<void>,
): Promise<{ wake: string[]; done: Done; appended: Appended | undefined }> {
  const decision = await decide(consumer, rows, tx, context)
  const written = await write(consumer, decision, tx, context, moveOn)
  const { facts = [], timers = [] } = decision
  const scheduled = timers.flatMap((change) => ('schedule' in change ? [change.schedule.event] : []))
  return { ...written, done: { rows, published: facts, scheduled } }
}

async function write(
  consumer: Consumer,
  { facts = [], timers = [], deliveries = [] }: Decision,
  tx: Tx,
  context: StepContext,
  moveOn: () => Promise<void>,
): Promise<{ wake: string[]; appended: Appended | undefined }> {
  const hasTimers = await changeTimers(tx, timers)
  if (deliveries.length > 0) await context.enqueue(tx, deliveries)
  await moveOn()

  for (const { of } of facts) invariant(consumer.publishes.has(of), `${consumer.group} does not declare ${of.type}`)
  const encoded = facts.map((fact) => encode(fact))
  const appended = encoded.length > 0 ? await append(tx, encoded) : undefined
  const wake = [
    ...new Set(encoded.map(({ topic }) => topic)),
    ...new Set(deliveries.map(({ destination }) => deliveryGroup(destination))),
    ...(hasTimers ? ['timers'] : []),
  ]
  return { wake, appended }
}

async function decide(
  consumer: Consumer,
  rows: readonly sql.EventRow[],
  tx: Tx,
  { clock }: StepContext,
): Promise<Decision> {
  const events = rows.flatMap((row) => {
    const of = consumer.types.get(row.type)
    return of ? [decode(row, of)] : []
  })
  const live = consumer.spendsTimers ? await withoutStaleFirings(events, tx) : events
  return live.length > 0 ? consumer.handle(live, tx, clock.now()) : {}
}

/** A firing counts once, and only if the timer was neither cancelled nor rescheduled since. */
async function withoutStaleFirings(events: RecordedEvent[], tx: Tx): Promise<RecordedEvent[]> {
  const firings = events.flatMap(({ timer }) => (timer ? [timer] : []))
  if (firings.length === 0) return events
  const live = await sql.spendTimers(tx, firings)
  return events.filter(({ timer }) => timer === null || live.delete(sql.firingName(timer)))
}

function sort(rows: readonly (sql.EventRow | sql.SkippedRow)[], consumer: Consumer) {
  const passed: (sql.EventRow | sql.SkippedRow)[] = []
  const parked: sql.EventRow[] = []
  const ready: sql.EventRow[] = []
  const stopped = new Map<number, { partition: number; type: string; version: number }>()
  const keys = new Set<string>()
  const hasFirings = rows.some((row) => row.version !== null && row.timer_id !== undefined)
  const cut = new Set<number>()
  for (const row of rows) {
    if (stopped.has(row.partition) || cut.has(row.partition)) continue
    // A firing is judged before its batch is handled: what may cancel it must be handled in a batch before.
    if (row.version !== null && row.timer_id !== undefined && keys.has(row.key)) {
      cut.add(row.partition)
      continue
    }
    if (hasFirings) keys.add(row.key)
    const of = row.version === null ? undefined : consumer.types.get(row.type)
    if (of && row.version !== null && row.version > of.version) {
      const { partition, type, version } = row
      stopped.set(partition, { partition, type, version })
      continue
    }
    passed.push(row)
    if (row.version !== null && of) (row.is_parked ? parked : ready).push(row)
  }
  return { passed, parked, ready, stopped: [...stopped.values()] }
}

function progressOf(rows: readonly sql.Place[]): sql.Progress[] {
  const last = new Map<string, Map<number, sql.Place>>()
  for (const row of rows) {
    const partitions = last.get(row.topic) ?? new Map<number, sql.Place>()
    last.set(row.topic, partitions.set(row.partition, row))
  }
  return [...last.values()].flatMap((partitions) =>
    [...partitions.values()].map(({ topic, partition, offset }) => ({ topic, partition, nextOffset: offset + 1n })),
  )
}
