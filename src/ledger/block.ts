import { hash } from 'node:crypto'
import { canonicalJson } from '#kernel/canonical'
import { emptyFrontier, type Frontier, grow, leafHash, rootOf } from './merkle.ts'

/** A block ends with so many entries, or with the first entry that comes so long after its first one. */
export const BLOCK_ENTRIES_MAX = 4096
export const BLOCK_AGE_MS = 60_000

/** What is sealed of an entry. */
export type SealedEntry = {
  readonly tenant: string
  readonly mode: string
  readonly entry: string
  readonly source: string
  readonly purpose: string
  /** Unix milliseconds. */
  readonly effectiveAt: number
  readonly bookedAt: number
  readonly postings: readonly { readonly account: string; readonly amount: string; readonly currency: string }[]
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

/** The block of a partition that still grows. */
export type OpenBlock = Omit<Block, 'entries' | 'root' | 'hash'> & { readonly tree: Frontier }

export const NO_BLOCK = '0'.repeat(64)

/** The text that a leaf is the hash of: canonical JSON (RFC 8785). */
export function leafText(entry: SealedEntry): string {
  const { tenant, mode, entry: id, source, purpose, effectiveAt, bookedAt, postings } = entry
  const plain = postings.map(({ account, amount, currency }) => ({ account, amount, currency }))
  return canonicalJson({ tenant, mode, entry: id, source, purpose, effectiveAt, bookedAt, postings: plain })
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
