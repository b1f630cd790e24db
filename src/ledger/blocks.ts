import type { EventOf, HandlerContext } from '#log'
import { type Block, type OpenBlock, seal } from './block.ts'
import { openBlocks, writeBlocks } from './block-sql.ts'
import type { entryPosted } from './events.ts'
import { sealedEntry } from './sealed-entry.ts'

type Posted = EventOf<typeof entryPosted>

/** Adds entries to the blocks of their partitions, in the order of the log, and seals those that are full or over. */
export async function sealEntries(entries: readonly Posted[], tx: HandlerContext['tx']): Promise<void> {
  if (entries.length === 0) return
  const open = await openBlocks(tx, [...new Set(entries.map(({ partition }) => partition))])
  const closed: Block[] = []
  const grown = new Map<number, OpenBlock>()
  for (const event of entries) {
    const { partition, offset, key, time: bookedAt, data } = event
    const entry = sealedEntry(event, { key, bookedAt }, data)
    const next = seal(grown.get(partition) ?? open.get(partition), { partition, offset }, entry)
    if (next.closed) closed.push(next.closed)
    grown.set(partition, next.open)
  }
  await writeBlocks(tx, closed, [...grown.values()])
}
