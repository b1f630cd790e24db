import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
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
      const started = await this.#start()
      if (started > 0 || this.#finished.length > 0) return 0
      const next = await sql.nextReadyInMs(this.#context.database, this.#destination.name, [...this.#inFlight.keys()])
      return Math.max(1, this.#circuit.opensInMs(), Math.min(LOOK_MS, next ?? LOOK_MS))
    } catch (error) {
      this.#fault(error)
      return LOOK_MS
    }
  }

  async #start(): Promise<number> {
    const { database, leases } = this.#context
    const room = this.#circuit.admits(this.#destination.concurrency - this.#inFlight.size)
    if (room <= 0) return 0
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
    if (!held) return 0
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
      const base = { id, destination, key, attempt: attempts, startedAt, endedAt: clock.now(), reason: null, retryInMs: null }
      this.#finished.push({ settlement: { ...base, kind: kind === 'ask' ? 'ask' : 'send', outcome, ...about }, facts })
    }

    if (kind === 'expired') settle('expired', {}, this.#destination.settle(delivery, { kind: 'expired' }))
    else if (kind === 'hold') settle('held', { reason: 'may_have_been_sent' }, [])
    else {
      const outcome = await this.#attempt(delivery, kind)
      if (outcome.kind === 'done') settle('done', {}, this.#destination.settle(delivery, outcome))
      else settle('retry', { reason: outcome.reason, retryInMs: this.#retryInMs(delivery, outcome) }, [])
    }
    wakeups.wake([`${this.#group}:finished`])
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

  async #settleFinished(): Promise<void> {
    // A copy: more may finish while this transaction is under way, and their facts are not in it.
    const batch = [...this.#finished]
    if (batch.length === 0) return
    const { database, leases, wakeups } = this.#context
    const facts = batch.flatMap((attempted) => attempted.facts)
    await fencedTransaction(database, this.#group, leases.of(this.#group), async (tx) => {
      await sql.settle(tx, batch.map(({ settlement }) => settlement))
      return facts
    })
    // Fenced off or not, these are over here: another process holds them now and knows that they were tried.
    this.#finished = this.#finished.slice(batch.length)
    for (const { settlement } of batch) this.#inFlight.delete(settlement.id)
    wakeups.wake(new Set(facts.map(({ of }) => of.topic)))
  }

  #fault(error: unknown): void {
    this.#context.report({ kind: 'fault', group: this.#group, error: error instanceof Error ? error.name : 'unknown' })
  }
}

/** What an attempt may do, given that an earlier one may have reached the destination without our knowing. */
function kindOf({ idempotency }: Destination, delivery: sql.Delivery, wasTriedUnseen: boolean, now: number) {
  if (wasTriedUnseen && idempotency.kind === 'none') return 'hold'
  const age = now - delivery.firstAttemptAt
  if (wasTriedUnseen && idempotency.kind === 'window' && age >= idempotency.windowMs) return 'ask'
  if (!wasTriedUnseen && delivery.notAfter !== null && now > delivery.notAfter) return 'expired'
  return 'send'
}
