import type { Tx } from '#kernel/database'
import { base32 } from '#kernel/digest'
import { brandId, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import { appendRows, encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import { projectionSwapped } from './operations.ts'
import { type CheckpointRow, replaceRows, type Table } from './replay/sql.ts'
import * as sql from './sql.ts'

export type SwappedTable = { readonly table: string; readonly written: number; readonly removed: number }

/** Rebuilt rows take the place of live ones, in the transaction that the caller commits. */
export async function putInPlace(tx: Tx, tables: readonly Table[]): Promise<SwappedTable[]> {
  // Rows may refer to each other; in between some that are referred to are not there.
  await tx.script('set constraints all deferred')
  const swapped: SwappedTable[] = []
  for (const table of tables) {
    const { written, removed } = await replaceRows(tx, table)
    swapped.push({ table: table.name, written: Number(written), removed: Number(removed) })
  }
  return swapped
}

/** A projection holds rows of all tenants and of both modes; the record of a swap is the installation's own. */
const INSTALLATION = { tenant: brandId<TenantId>('millrace'), mode: 'live' } as const

type About = {
  readonly group: string
  readonly by: string
  readonly checkpoints: readonly CheckpointRow[]
  readonly events: number
  readonly tables: readonly SwappedTable[]
}

/** On the log in the same transaction, as its last act. */
export async function recordSwap(tx: Tx, random: Random, about: About): Promise<void> {
  const { group, by, checkpoints, events, tables } = about
  const id = `evt_${base32(random.bytes(17))}`
  const offsets = checkpoints.map(({ topic, partition, next_offset }) => ({
    topic,
    partition,
    offset: Number(next_offset),
  }))
  const event: NewEvent = {
    ...INSTALLATION,
    id,
    of: projectionSwapped,
    key: group,
    traceparent: `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`,
    causationId: null,
    correlationId: id,
    data: { projection: group, events, tables, offsets, by },
  }
  await sql.append(tx, appendRows([encode(event)]))
}
