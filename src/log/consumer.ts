import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import { type Stopwatch, startStopwatch, type Tracer } from '#kernel/tracing'
import type { NewEvent } from './event.ts'
import { describeFailure, failureOf } from './failure.ts'
import type { LeaseBook } from './lease.ts'
import { createLinger } from './linger.ts'
import { retryParked } from './parked.ts'
import type { Leases } from './sql.ts'
import { type Bounds, type Consumer, PoisonEvent, parkHead, type StepContext, step } from './step.ts'
import { traceBatch } from './tracing.ts'
import type { Wakeups } from './wakeup.ts'

/** Events of one transaction and partition; 8 partitions of 64 fill the batch that cost least in trials. */
const PER_PARTITION = 64
const TOTAL = 512
/** Bytes a partition may put into one answer: small enough for the socket buffers, so that a frozen client holds no lock. */
const PARTITION_BYTES = 512 * 1024
/** Without a wake-up, look again after this long. Also what carries a log behind a transaction pooler. */
const POLL_MS = 200
/** A group that parks more keys a minute than this is broken itself, not fed with poison. */
export const PARKED_A_MINUTE_MAX = 100

export type ConsumerStatus = 'running' | 'halted' | 'stopped'

/** What a loop tells the outside: for logs, metrics and tests. */
export type LoopReport =
  | { kind: 'handled'; group: string; events: number; published: readonly NewEvent[] }
  | { kind: 'parked'; group: string; key: string; error: string }
  | { kind: 'halted'; group: string; parked: number }
  | { kind: 'partition_stopped'; group: string; partition: number; type: string; version: number }
  | { kind: 'fault'; group: string; error: string }

export type LoopContext = StepContext & {
  readonly clock: Clock
  readonly random: Random
  readonly leases: LeaseBook
  readonly wakeups: Wakeups
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  report(report: LoopReport): void
}

/** Milliseconds until the next batch, whatever comes in; or idle: until something does. */
type Pause = number | 'idle'

export type ConsumerLoop = { readonly group: string; status(): ConsumerStatus; stop(): Promise<void> }

/** Runs a consumer over whatever partitions this process leases, until stopped. Never throws: it owns retry. */
export function startConsumer(consumer: Consumer, context: LoopContext): ConsumerLoop {
  const loop = new Loop(consumer, context)
  const done = loop.run()
  return {
    group: consumer.group,
    status: () => loop.status,
    stop: async () => {
      loop.stop()
      await done
    },
  }
}

class Loop {
  status: ConsumerStatus = 'running'
  readonly #consumer: Consumer
  readonly #context: LoopContext
  readonly #linger
  readonly #stopping = new AbortController()
  readonly #reportedStops = new Set<string>()
  /** Partitions that the last batches found stopped. */
  readonly #stopped = new Set<number>()
  /** Shrinks to one event while poison is being cornered, then doubles back. */
  #total = TOTAL
  #faults = 0
  #uniqueViolations = 0
  #parkedAt: number[] = []
  #retriesLookedAt = Number.NEGATIVE_INFINITY

  constructor(consumer: Consumer, context: LoopContext) {
    this.#consumer = consumer
    this.#context = context
    this.#linger = createLinger(context.clock, consumer.lingerMs)
  }

  stop(): void {
    this.status = 'stopped'
    this.#stopping.abort()
  }

  async run(): Promise<void> {
    const { wakeups, clock } = this.#context
    const names = [...this.#consumer.topics, `group:${this.#consumer.group}`]
    while (this.status === 'running') {
      const ticket = wakeups.ticket(names)
      const pause = await this.#turn()
      if (this.status === 'running') {
        if (pause === 'idle') await clock.sleep(POLL_MS, AbortSignal.any([ticket.signal, this.#stopping.signal]))
        else if (pause > 0) await clock.sleep(pause, this.#stopping.signal)
      }
      ticket.release()
    }
  }

  /** One batch. Returns how long to wait before the next. */
  async #turn(): Promise<Pause> {
    const leases = this.#leases()
    if (leases.size === 0) return 'idle'
    const watch = this.#context.tracer?.isOn ? startStopwatch(this.#context.clock) : undefined
    try {
      await this.#retryParked()
      const result = await step(this.#consumer, leases, this.#bounds(), this.#context)
      this.#faults = 0
      this.#uniqueViolations = 0
      this.#total = Math.min(TOTAL, this.#total * 2)
      for (const stop of result.stopped) this.#stop(stop)
      if (result.events === 0) return 'idle'
      this.#context.wakeups.wake(result.wake)
      this.#linger.handled(result.events)
      const { group } = this.#consumer
      this.#context.report({ kind: 'handled', group, events: result.handled, published: result.done.published })
      if (watch) traceBatch(this.#context.tracer, { group, ...result.done }, watch)
      return this.#linger.ms(result.isFull)
    } catch (error) {
      return this.#failed(error, leases, watch)
    }
  }

  /**
   * While poison is being cornered, the batch is too small to see past a stopped partition, whose events stand first
   * in line for good: it sits out until the batch is whole again.
   */
  #leases(): Leases {
    const leases = this.#context.leases.of(this.#consumer.group)
    if (this.#total < TOTAL) return new Map([...leases].filter(([partition]) => !this.#stopped.has(partition)))
    this.#stopped.clear()
    return leases
  }

  #bounds(): Bounds {
    return { perPartition: Math.min(PER_PARTITION, this.#total), total: this.#total, bytes: PARTITION_BYTES }
  }

  async #failed(error: unknown, leases: Leases, watch?: Stopwatch): Promise<Pause> {
    const cause = error instanceof PoisonEvent ? error.cause : error
    const failure = failureOf(cause)
    const isPoison = failure === 'deterministic' || (failure === 'unique_violation' && this.#uniqueViolations++ > 0)
    if (!(error instanceof PoisonEvent) || !isPoison) return this.#fault(cause)
    if (error.rows.length > 1) {
      this.#total = Math.max(1, Math.floor(Math.min(this.#total, error.rows.length) / 2))
      return 0
    }
    return this.#park(error, describeFailure(cause), leases, watch)
  }

  async #park({ rows }: PoisonEvent, error: string, leases: Leases, watch?: Stopwatch): Promise<Pause> {
    const { clock, report, tracer } = this.#context
    const group = this.#consumer.group
    try {
      if (!(await parkHead(this.#consumer, leases, { rows, error }, this.#context))) return 'idle'
    } catch (fault) {
      return this.#fault(fault)
    }
    for (const { key } of rows) report({ kind: 'parked', group, key, error })
    if (watch) {
      const read = rows.filter((row) => row.version !== null)
      traceBatch(tracer, { group, rows: read, published: [], scheduled: [] }, watch, 'parked')
    }
    const now = clock.monotonicMs()
    this.#parkedAt = [...this.#parkedAt.filter((at) => now - at < 60_000), now]
    if (this.#parkedAt.length > PARKED_A_MINUTE_MAX) {
      this.status = 'halted'
      report({ kind: 'halted', group, parked: this.#parkedAt.length })
    }
    return 0
  }

  /** The world's fault, not the event's: again, with a pause that grows to two seconds. */
  #fault(error: unknown): number {
    this.#faults++
    this.#context.report({ kind: 'fault', group: this.#consumer.group, error: describeFailure(error) })
    return Math.min(2_000, 20 * 2 ** Math.min(this.#faults, 7)) * (0.5 + this.#context.random.unit() / 2)
  }

  async #retryParked(): Promise<void> {
    const { clock } = this.#context
    if (clock.monotonicMs() - this.#retriesLookedAt < POLL_MS) return
    this.#retriesLookedAt = clock.monotonicMs()
    await retryParked(this.#consumer, this.#context)
  }

  #stop({ partition, type, version }: { partition: number; type: string; version: number }): void {
    this.#stopped.add(partition)
    const name = `${partition}/${type}/${version}`
    if (this.#reportedStops.has(name)) return
    this.#reportedStops.add(name)
    this.#context.report({ kind: 'partition_stopped', group: this.#consumer.group, partition, type, version })
  }
}
