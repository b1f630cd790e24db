import type { Tx } from '#kernel/database'
import { appendRows, type Encoded } from './codec.ts'
import type { NewEvent } from './event.ts'
import { jsonCopy } from './json-copy.ts'
import * as sql from './sql.ts'
import type { Tail, TailEvent } from './tail.ts'

/** What was appended, and is not committed yet: where each event went. */
export type Appended = { readonly rows: sql.AppendRows; readonly heads: readonly sql.AppendedHead[] }

/** The transaction's last act. */
export async function append(tx: Tx, encoded: readonly Encoded[]): Promise<Appended> {
  const rows = appendRows(encoded)
  return { rows, heads: await sql.append(tx, rows) }
}

/**
 * Once it is committed: keeps it for the readers of this process. `events` are those that were encoded, in their order; none
 * where that is not known.
 */
export function remember(tail: Tail, { rows, heads }: Appended, events: readonly (NewEvent | undefined)[]): void {
  const appendedAt = new Map(heads.map((at) => [at.head, at]))
  const appended = events.flatMap((event, index): TailEvent[] => {
    const head = rows.heads[index] ?? 0
    const at = appendedAt.get(head)
    if (!at || !event) return []
    const offset = at.first_offset + BigInt(rows.places[index] ?? 0)
    const place = { topic: event.of.topic, partition: rows.partitions[head - 1] ?? 0, offset, time: at.time }
    return [{ row: rowOf(event, place), position: at.position, bytes: rows.events[index]?.length ?? 0 }]
  })
  tail.add(appended)
}

/** The event as `log.take` would give it. */
function rowOf(event: NewEvent, { topic, partition, offset, time }: Omit<sql.Place, 'key' | 'type'>): sql.EventRow {
  return {
    topic,
    partition,
    offset,
    time,
    key: event.key,
    type: event.of.type,
    is_parked: false,
    version: event.of.version,
    id: event.id,
    tenant: event.tenant,
    mode: event.mode,
    traceparent: event.traceparent,
    causation_id: event.causationId,
    correlation_id: event.correlationId,
    data: jsonCopy(event.data, () => JSON.stringify(event.data)),
  }
}
