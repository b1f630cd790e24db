import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { InvariantViolation } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { spanIdOf, type Tracer } from '#kernel/tracing'
import { createLinger, fencedTransaction, type LogDoor, type NewEvent, tracePublished, type Wakeups } from '#log'
import { backoffMs } from './backoff.ts'
import { attemptSpan, type Destination, type Fleet, fleetOf, type Outcome } from './destination.ts'
import { kindOf } from './kind.ts'
import { createLane, type Lane } from './lane.ts'
import * as sql from './sql.ts'

/** Looks for due retries at least this often. */
const LOOK_MS = 500
/** Calls of one deliverer under way at once, over all its destinations: sockets and memory. */
const UNDER_WAY_MAX = 2_048
/** Under load, how long for company: a turn takes a millisecond of CPU however little it carries. */
const LINGER_MS = 3
/** A turn that carried this much needs no company. */
const FULL = 64

export type DeliveryContext = {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly wakeups: Wakeups
  readonly tail?: LogDoor['tail']
  readonly leases: { of(group: string): ReadonlyMap<number, bigint>; giveBack?(group: string): Promise<void> }
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  /** Told of every attempt, once it is recorded. Absent: nobody counts. */
  attempted?(attempt: AttemptReport): void
  report(report: { kind: 'fault'; group: string; error: string }): void
}

/** How long an attempt took, and how long it has been since the first of its delivery. */
export type AttemptReport = {
  readonly group: string
  readonly outcome: 'done' | 'retry' | 'expired' | 'held'
  readonly ms: number
  readonly sinceFirstMs: number
}

type Attempted = {
  readonly delivery: sql.Delivery
  readonly settlement: sql.Settlement
  readonly facts: readonly NewEvent[]
}
type Begun = { readonly deliveries: readonly sql.Delivery[]; readonly unseen: ReadonlySet<string>; pauseMs: number }

export type RunningDeliverer = {
  /** Takes nothing new; resolves once the calls under way are over and recorded. */
  stop(): Promise<void>
  /** Calls begun and not on record. */
  underWay(): number
}

/**
 * Delivers to one destination while this process holds its lease. Each (destination, key) goes one
 * after the other; what is tried is said before the call, what came of it after.
 */
export function startDeliverer(destination: Destination, context: DeliveryContext): RunningDeliverer {
  return startFleet(fleetOf(destination), context)
}

/** The same for destinations that come and go. None waits for another: each has a circuit and a share of the calls. */
export function startFleet(fleet: Fleet, context: DeliveryContext): RunningDeliverer {
  const deliverer = new Deliverer(fleet, context)
  const done = deliverer.run()
  return {
    async stop() {
      deliverer.stop()
      await done
    },
    underWay: () => deliverer.underWay,
  }
}

class Deliverer {
  readonly #fleet: Fleet
  readonly #context: DeliveryContext
  readonly #stopping = new AbortController()
  readonly #lanes = new Map<string, Lane>()
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #linger
  #finished: Attempted[] = []
  /** Deliveries that the last turn settled or took. */
  #carried = 0

  constructor(fleet: Fleet, context: DeliveryContext) {
    this.#linger = createLinger(context.clock, LINGER_MS)
    this.#fleet = fleet
    this.#context = context
  }

  get underWay(): number {
    return this.#underWay.size
  }

  stop(): void {
    this.#stopping.abort()
  }

  async run(): Promise<void> {
    const { wakeups, clock, leases } = this.#context
    const { group } = this.#fleet
    while (!this.#stopping.signal.aborted) {
      const ticket = wakeups.ticket([group, `${group}:finished`])
      const pause = await this.#turn()
      const lingerMs = this.#linger.ms(this.#carried === 0 || this.#carried >= FULL)
      if (lingerMs > 0) await clock.sleep(lingerMs, this.#stopping.signal)
      if (pause > 0) await clock.sleep(pause, AbortSignal.any([ticket.signal, this.#stopping.signal]))
      ticket.release()
    }
    await Promise.all(this.#underWay.values())
    await this.#transact(this.#finished, undefined).catch((error) => this.#fault(error))
    // Now, and not when the process ends: another destination of ours may hang, and this one's calls need not wait for it.
    await leases.giveBack?.(group).catch((error) => this.#fault(error))
  }

  /** Writes what has come back and takes what is ready, in one transaction. Returns how long there is nothing to do, in ms. */
  async #turn(): Promise<number> {
    const admitted = new Set<Lane>()
    this.#carried = 0
    try {
      // A copy: more may finish while this transaction is under way, and their facts are not in it.
      const batch = [...this.#finished]
      const begun = await this.#transact(batch, admitted)
      if (!begun) return LOOK_MS
      this.#carried = batch.length + begun.deliveries.length
      this.#linger.handled(this.#carried)
      for (const delivery of begun.deliveries) this.#start(delivery, begun.unseen.has(delivery.id))
      return this.#finished.length > 0 ? 0 : begun.pauseMs
    } catch (error) {
      this.#fault(error)
      // A fact that the log refuses holds its own delivery for a person, and keeps no other from being settled.
      if (error instanceof InvariantViolation) return this.#settleApart([...this.#finished])
      return LOOK_MS
    } finally {
      // What was admitted and has found nothing to call leaves the next one free.
      for (const lane of admitted) lane.circuit.unused()
    }
  }

  /** Undefined when nothing here is ours. */
  async #transact(batch: readonly Attempted[], admitted: Set<Lane> | undefined): Promise<Begun | undefined> {
    const { database, leases, wakeups } = this.#context
    const { group, partitionOf } = this.#fleet
    let begun: Begun | undefined
    let told: Attempted[] = []
    const record = async (tx: Tx, held: ReadonlySet<number>): Promise<NewEvent[]> => {
      const ours = batch.filter(({ delivery }) => held.has(partitionOf(delivery.destination)))
      told = await recordAll(tx, ours)
      if (admitted) begun = await this.#begin(tx, held, batch, admitted)
      return told.flatMap(({ facts }) => facts)
    }
    await fencedTransaction(database, group, leases.of(group), record, this.#context.tail)
    // Fenced off or not, these are over here: another process holds them now and knows that they were tried.
    const over = new Set(batch)
    this.#finished = this.#finished.filter((attempted) => !over.has(attempted))
    for (const { delivery } of batch) this.#underWay.delete(delivery.id)
    for (const delivery of begun?.deliveries ?? []) admitted?.delete(this.#laneOf(delivery.destination))
    this.#trace(batch, told)
    this.#count(batch)
    wakeups.wake(new Set(told.flatMap(({ facts }) => facts.map(({ of }) => of.topic))))
    return begun
  }

  async #begin(tx: Tx, held: ReadonlySet<number>, settling: readonly Attempted[], admitted: Set<Lane>): Promise<Begun> {
    const { names, find, partitionOf } = this.#fleet
    const underWay = sql.underWayOf(this.#underWay.keys())
    const wanted: { destination: string; room: number }[] = []
    let free = UNDER_WAY_MAX - this.#underWay.size + settling.length
    let pauseMs = LOOK_MS
    for (const { destination: name, in_ms: inMs } of await sql.busyDestinations(tx, names, underWay)) {
      const destination = held.has(partitionOf(name)) ? find(name) : undefined
      if (!destination) {
        if (this.#lanes.get(name)?.isIdle()) this.#lanes.delete(name)
        continue
      }
      const lane = this.#laneOf(name)
      const room = inMs > 0 ? 0 : lane.room(destination, free)
      if (room > 0) {
        wanted.push({ destination: name, room })
        admitted.add(lane)
        free -= room
      } else pauseMs = Math.min(pauseMs, inMs > 0 ? inMs : lane.circuit.opensInMs() || LOOK_MS)
    }
    if (wanted.length === 0) return { deliveries: [], unseen: new Set(), pauseMs: Math.max(1, pauseMs) }
    const deliveries = await sql.beginAttempts(tx, wanted, underWay)
    return { deliveries, unseen: await this.#triedUnseen(tx, deliveries), pauseMs: deliveries.length > 0 ? 0 : pauseMs }
  }

  /** Those of which an earlier attempt was begun and never recorded: it may have been made. */
  async #triedUnseen(tx: Tx, deliveries: readonly sql.Delivery[]): Promise<Set<string>> {
    const doubtful = deliveries.filter(
      ({ destination, attempts }) =>
        attempts > 1 && this.#fleet.find(destination)?.idempotency.kind !== 'at_least_once',
    )
    if (doubtful.length === 0) return new Set()
    const ids = doubtful.map(({ id }) => id)
    const recorded = await sql.recordedAttempts(tx, ids)
    return new Set(doubtful.filter(({ id, attempts }) => (recorded.get(id) ?? 0) < attempts - 1).map(({ id }) => id))
  }

  #start(delivery: sql.Delivery, wasTriedUnseen: boolean): void {
    this.#laneOf(delivery.destination).started()
    this.#underWay.set(delivery.id, this.#deliver(delivery, wasTriedUnseen))
  }

  async #deliver(delivery: sql.Delivery, wasTriedUnseen: boolean): Promise<void> {
    const { clock, wakeups, random } = this.#context
    const { id, destination: name, key, attempts } = delivery
    const destination = this.#fleet.find(name)
    const startedAt = clock.now()
    const kind = destination ? kindOf(destination, delivery, wasTriedUnseen, startedAt) : 'gone'
    const over = (about: Pick<sql.Settlement, 'outcome'> & Partial<sql.Settlement>, facts: readonly NewEvent[]) => {
      const place = { id, destination: name, key, attempt: attempts }
      const base = { ...place, startedAt, endedAt: clock.now(), reason: null, detail: null, retryInMs: null }
      this.#laneOf(name).over()
      this.#finished.push({ delivery, settlement: { ...base, kind: kind === 'ask' ? 'ask' : 'send', ...about }, facts })
    }
    const tell = (outcome: 'done' | 'expired', known: Parameters<Destination['settle']>[1], detail: string | null) => {
      const facts = destination && this.#factsOf(destination, delivery, known)
      if (facts) over({ outcome, detail }, facts)
      else over({ outcome: 'held', reason: 'outcome_untold', detail }, [])
    }

    const { circuit } = this.#laneOf(name)
    if (!destination || kind === 'gone' || kind === 'expired' || kind === 'hold') circuit.unused()
    if (!destination || kind === 'gone') over({ outcome: 'retry', reason: 'destination_gone', retryInMs: LOOK_MS }, [])
    else if (kind === 'expired') tell('expired', { kind }, null)
    else if (kind === 'hold') over({ outcome: 'held', reason: 'may_have_been_sent' }, [])
    else {
      const outcome = await this.#attempt(destination, delivery, kind)
      const { detail = null } = outcome
      if (outcome.kind === 'done') tell('done', outcome, detail)
      else {
        const retryInMs = Math.max(outcome.afterMs ?? 0, backoffMs(attempts, random))
        over({ outcome: 'retry', reason: outcome.reason, retryInMs, detail }, [])
      }
    }
    wakeups.wake([`${this.#fleet.group}:finished`])
  }

  /** What the destination tells of an outcome; undefined when it fails over it, which must not lose the outcome. */
  #factsOf(destination: Destination, delivery: sql.Delivery, outcome: Parameters<Destination['settle']>[1]) {
    try {
      return destination.settle(delivery, outcome)
    } catch (error) {
      this.#fault(error)
      return undefined
    }
  }

  async #attempt(destination: Destination, delivery: sql.Delivery, kind: 'send' | 'ask'): Promise<Outcome> {
    const { circuit } = this.#laneOf(destination.name)
    try {
      const outcome = await destination.attempt(delivery, kind)
      if (outcome.kind === 'done') circuit.succeeded()
      else circuit.failed()
      return outcome
    } catch (error) {
      circuit.failed()
      this.#fault(error)
      return { kind: 'retry', reason: 'internal' }
    }
  }

  async #settleApart(batch: readonly Attempted[]): Promise<number> {
    try {
      for (const attempted of batch) {
        await this.#transact([attempted], undefined).catch((error: unknown) => {
          if (!(error instanceof InvariantViolation)) throw error
          this.#finished = this.#finished.map((one) => (one === attempted ? untold(attempted) : one))
        })
      }
      return 0
    } catch (error) {
      this.#fault(error)
      return LOOK_MS
    }
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name)
    if (!lane) {
      lane = createLane(this.#context.clock)
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #trace(batch: readonly Attempted[], told: readonly Attempted[]): void {
    const { tracer } = this.#context
    if (!tracer?.isOn) return
    const isTold = new Set(told)
    for (const attempted of batch) {
      const { delivery, settlement, facts } = attempted
      const span = attemptSpan(delivery)
      const times = { startedAt: settlement.startedAt, endedAt: settlement.endedAt }
      tracer.record({
        ...times,
        kind: 'deliver',
        subject: this.#fleet.group,
        traceparent: span,
        parentId: spanIdOf(delivery.cause.traceparent),
        attributes: {
          'millrace.destination': settlement.destination,
          'millrace.delivery.attempt': settlement.attempt,
          'millrace.delivery.kind': settlement.kind,
          'millrace.delivery.outcome': settlement.outcome,
        },
        ...(settlement.reason === null ? {} : { error: settlement.reason }),
      })
      if (isTold.has(attempted)) tracePublished(tracer, facts, () => span, times)
    }
  }

  #count(batch: readonly Attempted[]): void {
    const { group } = this.#fleet
    for (const { delivery, settlement } of batch) {
      const { outcome, startedAt, endedAt } = settlement
      const sinceFirstMs = Math.max(0, endedAt - delivery.firstAttemptAt)
      this.#context.attempted?.({ group, outcome, ms: endedAt - startedAt, sinceFirstMs })
    }
  }

  #fault(error: unknown): void {
    const { report } = this.#context
    report({ kind: 'fault', group: this.#fleet.group, error: error instanceof Error ? error.name : 'unknown' })
  }
}

/** Returns those that this settles, whose facts are to be told. */
async function recordAll(tx: Tx, batch: readonly Attempted[]): Promise<Attempted[]> {
  if (batch.length === 0) return []
  const settlements = batch.map(({ settlement }) => settlement)
  const isNew = await sql.settle(tx, settlements)
  return batch.filter(({ settlement }) => isNew.has(settlement.id))
}

function untold(attempted: Attempted): Attempted {
  const { settlement } = attempted
  return {
    ...attempted,
    settlement: { ...settlement, outcome: 'held', reason: 'outcome_untold', retryInMs: null },
    facts: [],
  }
}
