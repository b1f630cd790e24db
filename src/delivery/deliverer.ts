import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { InvariantViolation } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { fencedTransaction, type NewEvent, type Wakeups } from '#log'
import { backoffMs } from './backoff.ts'
import { createCircuit } from './circuit.ts'
import { type Destination, deliveryGroup, type Outcome } from './destination.ts'
import * as sql from './sql.ts'

/** Looks for due retries at least this often. */
const LOOK_MS = 500

export type DeliveryContext = {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly wakeups: Wakeups
  readonly leases: { of(group: string): ReadonlyMap<number, bigint> }
  report(report: { kind: 'fault'; group: string; error: string }): void
}

type Attempted = { readonly settlement: sql.Settlement; readonly facts: readonly NewEvent[] }

/**
 * Delivers to one destination while this process holds its lease. Each (destination, key) goes one
 * after the other; what is tried is said before the call, what came of it after.
 */
export function startDeliverer(destination: Destination, context: DeliveryContext): { stop(): Promise<void> } {
  const deliverer = new Deliverer(destination, context)
  const done = deliverer.run()
  return {
    async stop() {
      deliverer.stop()
      await done
    },
  }
}

class Deliverer {
  readonly #destination: Destination
  readonly #context: DeliveryContext
  readonly #group: string
  readonly #circuit
  readonly #stopping = new AbortController()
  readonly #inFlight = new Map<string, Promise<void>>()
  #finished: Attempted[] = []

  constructor(destination: Destination, context: DeliveryContext) {
    this.#destination = destination
    this.#context = context
    this.#group = deliveryGroup(destination.name)
    this.#circuit = createCircuit(context.clock)
  }

  stop(): void {
    this.#stopping.abort()
  }

  async run(): Promise<void> {
    const { wakeups, clock } = this.#context
    while (!this.#stopping.signal.aborted) {
      const ticket = wakeups.ticket([this.#group, `${this.#group}:finished`])
      const pause = await this.#turn()
      if (pause > 0) await clock.sleep(pause, AbortSignal.any([ticket.signal, this.#stopping.signal]))
      ticket.release()
    }
    await Promise.all(this.#inFlight.values())
    await this.#settleFinished().catch((error) => this.#fault(error))
  }

  /** Writes what has come back, starts what is ready. Returns how long there is nothing to do, in ms. */
  async #turn(): Promise<number> {
    try {
      await this.#settleFinished()
      const room = this.#circuit.admits(this.#destination.concurrency - this.#inFlight.size)
      // Nothing can start before a call comes back, which wakes this loop, or before the circuit lets one through.
      if (room <= 0) return this.#circuit.opensInMs() || LOOK_MS
      const started = await this.#start(room)
      if (started === 'not ours') return LOOK_MS
      if (started > 0 || this.#finished.length > 0) return 0
      const next = await sql.nextReadyInMs(this.#context.database, this.#destination.name, [...this.#inFlight.keys()])
      return Math.max(1, Math.min(LOOK_MS, next ?? LOOK_MS))
    } catch (error) {
      this.#fault(error)
      return LOOK_MS
    }
  }

  async #start(room: number): Promise<number | 'not ours'> {
    const { database, leases } = this.#context
    let begun: readonly sql.Delivery[] = []
    let recorded = new Map<string, number>()
    const held = await fencedTransaction(database, this.#group, leases.of(this.#group), async (tx) => {
      const ids = await sql.readyHeads(tx, this.#destination.name, [...this.#inFlight.keys()], room)
      if (ids.length > 0) {
        begun = await sql.beginAttempts(tx, ids)
        recorded = await sql.recordedAttempts(tx, ids)
      }
      return []
    }).catch((error) => {
      this.#circuit.unused()
      throw error
    })
    if (begun.length === 0) this.#circuit.unused()
    if (!held) return 'not ours'
    for (const delivery of begun) {
      const wasTried = (recorded.get(delivery.id) ?? 0) < delivery.attempts - 1
      this.#inFlight.set(delivery.id, this.#deliver(delivery, wasTried))
    }
    return begun.length
  }

  async #deliver(delivery: sql.Delivery, wasTriedUnseen: boolean): Promise<void> {
    const { clock, wakeups } = this.#context
    const startedAt = clock.now()
    const kind = kindOf(this.#destination, delivery, wasTriedUnseen, startedAt)
    const settle = (outcome: sql.Settlement['outcome'], about: Partial<sql.Settlement>, facts: readonly NewEvent[]) => {
      const { id, destination, key, attempts } = delivery
      const base = {
        id,
        destination,
        key,
        attempt: attempts,
        startedAt,
        endedAt: clock.now(),
        reason: null,
        retryInMs: null,
      }
      this.#finished.push({ settlement: { ...base, kind: kind === 'ask' ? 'ask' : 'send', outcome, ...about }, facts })
    }

    const tell = (outcome: 'done' | 'expired', known: Parameters<Destination['settle']>[1]): void => {
      const facts = this.#factsOf(delivery, known)
      if (facts) settle(outcome, {}, facts)
      else settle('held', { reason: 'outcome_untold' }, [])
    }

    if (kind === 'expired' || kind === 'hold') this.#circuit.unused()
    if (kind === 'expired') tell('expired', { kind })
    else if (kind === 'hold') settle('held', { reason: 'may_have_been_sent' }, [])
    else {
      const outcome = await this.#attempt(delivery, kind)
      if (outcome.kind === 'done') tell('done', outcome)
      else settle('retry', { reason: outcome.reason, retryInMs: this.#retryInMs(delivery, outcome) }, [])
    }
    wakeups.wake([`${this.#group}:finished`])
  }

  /** What the destination tells of an outcome; undefined when it fails over it, which must not lose the outcome. */
  #factsOf(delivery: sql.Delivery, outcome: Parameters<Destination['settle']>[1]): readonly NewEvent[] | undefined {
    try {
      return this.#destination.settle(delivery, outcome)
    } catch (error) {
      this.#fault(error)
      return undefined
    }
  }

  async #attempt(delivery: sql.Delivery, kind: 'send' | 'ask'): Promise<Outcome> {
    try {
      const outcome = await this.#destination.attempt(delivery, kind)
      if (outcome.kind === 'done') this.#circuit.succeeded()
      else this.#circuit.failed()
      return outcome
    } catch (error) {
      this.#circuit.failed()
      this.#fault(error)
      return { kind: 'retry', reason: 'internal' }
    }
  }

  #retryInMs(delivery: sql.Delivery, { afterMs = 0 }: { afterMs?: number }): number {
    return Math.max(afterMs, backoffMs(delivery.attempts, this.#context.random))
  }

  /** A fact that the log refuses holds its own delivery for a person, and keeps no other from being settled. */
  async #settleFinished(): Promise<void> {
    // A copy: more may finish while this transaction is under way, and their facts are not in it.
    const batch = [...this.#finished]
    try {
      await this.#settle(batch)
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error
      this.#fault(error)
      for (const attempted of batch) await this.#settle([attempted]).catch(() => this.#settle([untold(attempted)]))
    }
  }

  async #settle(batch: readonly Attempted[]): Promise<void> {
    if (batch.length === 0) return
    const { database, leases, wakeups } = this.#context
    const facts = batch.flatMap((attempted) => attempted.facts)
    await fencedTransaction(database, this.#group, leases.of(this.#group), async (tx) => {
      const isNew = await sql.settle(
        tx,
        batch.map(({ settlement }) => settlement),
      )
      return batch.flatMap((attempted) => (isNew.has(attempted.settlement.id) ? attempted.facts : []))
    })
    // Fenced off or not, these are over here: another process holds them now and knows that they were tried.
    const over = new Set(batch.map(({ settlement }) => settlement.id))
    this.#finished = this.#finished.filter(({ settlement }) => !over.has(settlement.id))
    for (const { settlement } of batch) this.#inFlight.delete(settlement.id)
    wakeups.wake(new Set(facts.map(({ of }) => of.topic)))
  }

  #fault(error: unknown): void {
    this.#context.report({ kind: 'fault', group: this.#group, error: error instanceof Error ? error.name : 'unknown' })
  }
}

function untold({ settlement }: Attempted): Attempted {
  return { settlement: { ...settlement, outcome: 'held', reason: 'outcome_untold', retryInMs: null }, facts: [] }
}

/** What an attempt may do, given that an earlier one may have reached the destination without our knowing. */
function kindOf({ idempotency }: Destination, delivery: sql.Delivery, wasTriedUnseen: boolean, now: number) {
  if (wasTriedUnseen && idempotency.kind === 'none') return 'hold'
  const isLate = delivery.notAfter !== null && now > delivery.notAfter
  if (wasTriedUnseen && idempotency.kind === 'window') {
    // Past its time it must not be sent any more; but it may have been, so what became of it has to be found out.
    return isLate || now - delivery.firstAttemptAt >= idempotency.windowMs ? 'ask' : 'send'
  }
  return isLate ? 'expired' : 'send'
}
