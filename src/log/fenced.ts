import type { Database, TransactionOptions, Tx } from '#kernel/database'
import { type Appended, append, remember } from './append.ts'
import { changeTimers } from './change-timers.ts'
import { encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import type { Decision } from './module.ts'
import * as sql from './sql.ts'
import type { Tail } from './tail.ts'

/**
 * A transaction of whoever holds leases of a group that reads no topic: effects and facts commit together, or, when
 * all its leases have changed hands, not at all. `work` is told which partitions are still held, and has to leave the
 * others alone. Returns whether it ran. Readers of this process that share the tail are given the facts from memory.
 */
export async function fencedTransaction(
  database: Database,
  group: string,
  leases: sql.Leases,
  work: (tx: Tx, held: ReadonlySet<number>) => Promise<readonly NewEvent[]>,
  tail?: Tail,
): Promise<boolean> {
  if (leases.size === 0) return false
  const done = await database.transaction({}, async (tx) => {
    const held = new Set(await sql.fence(tx, group, leases))
    if (held.size === 0) return undefined
    const facts = await work(tx, held)
    return { facts, appended: await appendAll(tx, facts) }
  })
  if (tail && done?.appended) remember(tail, done.appended, done.facts)
  return done !== undefined
}

/**
 * A transaction whose effects, timers and facts commit together: for what a request or an observation changes at once. It
 * runs under the role given, else under the session's own.
 */
export async function factsTransaction<Result>(
  database: Database,
  work: (tx: Tx) => Promise<{ readonly result: Result } & Pick<Decision, 'timers'> & Required<Pick<Decision, 'facts'>>>,
  options: Pick<TransactionOptions, 'role'> = {},
): Promise<Result> {
  return database.transaction(options, async (tx) => {
    const { result, timers = [], facts } = await work(tx)
    await changeTimers(tx, timers)
    await appendAll(tx, facts)
    return result
  })
}

/** The transaction's last act. */
async function appendAll(tx: Tx, facts: readonly NewEvent[]): Promise<Appended | undefined> {
  const encoded = facts.map((event) => encode(event))
  return encoded.length > 0 ? append(tx, encoded) : undefined
}
