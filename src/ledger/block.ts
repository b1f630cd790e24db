import { hash } from 'node:crypto'
import { canonicalJson } from '#kernel/canonical'
import type { DataOf } from '#log'
import type { Whose } from './book-sql.ts'
import type { entryPosted } from './events.ts'
import { emptyFrontier, type Frontier, grow, leafHash, rootOf } from './merkle.ts'

/** A block ends with so many entries, or with the first entry that comes so long after its first one. */
export const BLOCK_ENTRIES_MAX = 4096
export const BLOCK_AGE_MS = 60_000

/** What is sealed of an entry: all that its event says of it, whose it is, and when the log took it. */
export type SealedEntry = Whose &
  DataOf<typeof entryPosted> & {
    /** As its row is named. */
    readonly source: string
    /** Unix milliseconds. */
    readonly bookedAt: number
  }

/** A sealed stretch of a partition. Its hash covers the root of its entries and the hash of the block before. */
export type Block = {
  readonly partition: number
  /** From 1 on. */
  readonly number: number
  readonly entries: number
  /** Offsets on topic `ledger` of its first and last entry, in digits. */
  readonly firstOffset: string
  readonly lastOffset: string
  /** Unix milliseconds at which its first and last entry were booked. */
  readonly firstAt: number
  readonly lastAt: number
  readonly root: string
  /** Hash of the block before; of the first, zeros. */
  readonly previous: string
  readonly hash: string
}

/** Where the chain of a partition ends. Noted elsewhere, its hash tells whether these blocks are still there. */
export type Head = Pick<Block, 'partition' | 'number' | 'hash'>

/** The block of a partition that still grows. */
export type OpenBlock = Omit<Block, 'entries' | 'root' | 'hash'> & { readonly tree: Frontier }

export const NO_BLOCK = '0'.repeat(64)

/** The text that a leaf is the hash of: canonical JSON (RFC 8785) of all there is. */
export function leafText(entry: SealedEntry): string {
  return canonicalJson(entry)
}

/** The text that a block's hash is of. */
export function blockText(block: Omit<Block, 'hash'>): string {
  const { partition, number, entries, firstOffset, lastOffset, firstAt, lastAt, root, previous } = block
  return canonicalJson({ partition, number, entries, firstOffset, lastOffset, firstAt, lastAt, root, previous })
}

export function blockHash(block: Omit<Block, 'hash'>): string {
  return hash('sha256', blockText(block), 'hex')
}

/**
 * Adds the next entry of a partition, in the order of offsets. Returns the block that it closed, if any, and the one that
 * grows on. Depends on nothing but the entries: whoever has them all makes the same blocks.
 */
export function seal(
  open: OpenBlock | undefined,
  place: { readonly partition: number; readonly offset: bigint },
  entry: SealedEntry,
): { readonly closed: Block | undefined; readonly open: OpenBlock } {
  const isOver = open !== undefined && isFull(open, entry.bookedAt)
  const closed = isOver ? close(open) : undefined
  const growing = isOver || open === undefined ? undefined : open
  const offset = `${place.offset}`
  const begun = growing ?? {
    partition: place.partition,
    number: (closed?.number ?? 0) + 1,
    firstOffset: offset,
    lastOffset: offset,
    firstAt: entry.bookedAt,
    lastAt: entry.bookedAt,
    previous: closed?.hash ?? NO_BLOCK,
    tree: emptyFrontier,
  }
  const tree = grow(begun.tree, leafHash(leafText(entry)))
  return { closed, open: { ...begun, lastOffset: offset, lastAt: entry.bookedAt, tree } }
}

/** The block as it would be sealed now. */
export function close({ tree, ...about }: OpenBlock): Block {
  const block = { ...about, entries: tree.leaves, root: rootOf(tree) }
  return { ...block, hash: blockHash(block) }
}

function isFull({ tree, firstAt }: OpenBlock, at: number): boolean {
  return tree.leaves >= BLOCK_ENTRIES_MAX || at - firstAt >= BLOCK_AGE_MS
}
