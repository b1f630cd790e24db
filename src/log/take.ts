import type { Tx } from '#kernel/database'
import type { EventRow, HeldRow, SkippedRow, Take, TakenRow } from './sql.ts'
import * as sql from './sql.ts'
import type { Stretch, Tail, TailEvent } from './tail.ts'

type Next = EventRow | SkippedRow
type Candidate = { readonly position: bigint; readonly row: Next; readonly from: 'memory' | 'table' | 'beyond' }

export type Taken = {
  /** What comes next on the leased partitions, in causal order. */
  readonly rows: readonly Next[]
  /** What of it was read from the log's table, as any group would be given it. */
  readonly read: readonly TailEvent[]
}

/**
 * Locks the checkpoints of the leases that still hold and takes what is next for them: from memory where the tail holds
 * it, and everything else from the table.
 */
export async function takeNext(tx: Tx, wanted: Take, tail: Tail | undefined): Promise<Taken> {
  // Held from here on: while the answer is under way, others may pass these events, and have them forgotten.
  const stretches = tail?.stretches(wanted.topics, [...wanted.leases.keys()]) ?? []
  const read: TailEvent[] = []
  const candidates: Candidate[] = []
  let isMerged = false
  for (const taken of await sql.take(tx, wanted, stretches)) {
    if (isHeld(taken)) {
      isMerged = true
      candidates.push(...heldFrom(taken, stretches, wanted.perPartition))
      continue
    }
    const { event, position, is_beyond, ...place } = taken
    const row = rowOf(place, event)
    candidates.push({ position, row, from: is_beyond ? 'beyond' : 'table' })
    // That its key is parked is the group's own affair.
    if (row.version !== null && !row.is_parked) read.push({ row, position, bytes: event?.length ?? 0 })
  }
  return { rows: firstOf(isMerged ? candidates.sort(byPosition) : candidates, wanted), read }
}

function isHeld(row: TakenRow | HeldRow): row is HeldRow {
  return row.key === null
}

function rowOf(place: Omit<SkippedRow, 'version'>, event: string | null): Next {
  if (event === null) return { ...place, version: null }
  const headers: sql.Headers = JSON.parse(event)
  return { ...place, ...headers }
}

function heldFrom({ topic, partition, offset }: HeldRow, stretches: readonly Stretch[], most: number): Candidate[] {
  const held = stretches.find(
    (one) => one.topic === topic && one.partition === partition && one.first <= offset && offset < one.end,
  )
  if (!held) return []
  const from = Number(offset - held.first)
  const until = Math.min(from + most, Number(held.end - held.first))
  return held.events.slice(from, until).map(({ row, position }) => ({ row, position, from: 'memory' }))
}

/**
 * As many of each partition, and of all, as are wanted. The table's answer ends after as many rows as are wanted in all, and
 * in a partition where its bytes do: nothing that comes later may be taken.
 */
function firstOf(candidates: readonly Candidate[], { perPartition, total }: Take): Next[] {
  const counts = new Map<number, number>()
  const rows: Next[] = []
  let answered = 0
  for (const { row, from } of candidates) {
    const count = counts.get(row.partition) ?? 0
    if (from === 'beyond') counts.set(row.partition, perPartition)
    else if (count < perPartition) {
      counts.set(row.partition, count + 1)
      rows.push(row)
    }
    if (from !== 'memory') answered++
    if (answered === total || rows.length === total) break
  }
  return rows
}

function byPosition(one: Candidate, other: Candidate): number {
  if (one.position !== other.position) return one.position < other.position ? -1 : 1
  return (
    compare(one.row.topic, other.row.topic) ||
    one.row.partition - other.row.partition ||
    compare(one.row.offset, other.row.offset)
  )
}

function compare<Value extends string | bigint>(one: Value, other: Value): number {
  return one < other ? -1 : one > other ? 1 : 0
}
