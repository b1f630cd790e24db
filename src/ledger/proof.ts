import type { Database } from '#kernel/database'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import { createHistory, eventsOfKey, type History } from '#log'
import { type Block, blockText, leafText, type SealedEntry } from './block.ts'
import { blockCovering } from './block-sql.ts'
import type { Whose } from './book-sql.ts'
import { entrySourceOf } from './entry-source.ts'
import { entryPosted } from './events.ts'
import { inclusionPath, leafHash } from './merkle.ts'
import { sealedIn } from './sealed-entry.ts'

/** All that somebody needs to see that an entry is in a sealed block, and nothing of any other entry. */
export type InclusionProof = {
  /** Canonical JSON of the entry: its leaf is the hash of this text. */
  readonly entry: string
  readonly leaf: string
  /** Which leaf of the block it is, from 0 on. */
  readonly index: number
  /** Hashes beside its way to the root, the nearest first. */
  readonly path: readonly string[]
  /** Canonical JSON of the block: its hash is the hash of this text. */
  readonly block: string
  readonly hash: string
}

export type ProofOutcome =
  | { readonly status: 'proven'; readonly proof: InclusionProof }
  /** It is booked, and the block that it will be in is not sealed yet. */
  | { readonly status: 'provisional' }
  | { readonly status: 'not_found' }

const EVENTS_MAX = 1_000

/** Proves that the entry of a source is in a sealed block. */
export async function proveEntry(
  database: Database,
  whose: Whose,
  source: string,
  history: History = createHistory({ database }),
): Promise<ProofOutcome> {
  const place = await placeOf(database, whose, source)
  if (!place) return { status: 'not_found' }
  const block = await blockCovering(database, place.partition, place.offset)
  if (!block) return { status: 'provisional' }
  const { leaves, index, entry } = await leavesOf(history, block, place.offset)
  if (entry === undefined) return { status: 'not_found' }
  const { hash, ...sealed } = block
  const text = leafText(entry)
  const proof = {
    entry: text,
    leaf: leafHash(text),
    index,
    path: inclusionPath(leaves, index),
    block: blockText(sealed),
    hash,
  }
  return { status: 'proven', proof }
}

/** What payments book is under the payment's key, everything else under its own source. */
async function placeOf(database: Database, { tenant, mode }: Whose, source: string) {
  for (const key of [source, source.split('/', 1)[0] ?? '']) {
    const about = { key, tenant: brandId<TenantId>(tenant), mode: mode as Mode, limit: EVENTS_MAX }
    for (const event of await eventsOfKey(database, about)) {
      if (event.type !== entryPosted.type) continue
      const { source: own } = event.data as { source: string }
      if (entrySourceOf(key, own) === source) return { partition: event.partition, offset: event.offset }
    }
  }
  return undefined
}

async function leavesOf(history: History, block: Block, wanted: bigint) {
  const leaves: string[] = []
  let [index, entry]: [number, SealedEntry | undefined] = [-1, undefined]
  const offsets = (offset: number): number[] =>
    Array.from({ length: block.partition + 1 }, (_, n) => (n === block.partition ? offset : 0))
  const stretch = {
    topics: [entryPosted.topic],
    from: offsets(Number(block.firstOffset)),
    until: offsets(Number(block.lastOffset) + 1),
  }
  for await (const batch of history.read(stretch)) {
    for (const row of batch) {
      const sealed = row.partition === block.partition ? sealedIn(row) : undefined
      if (!sealed) continue
      if (row.offset === wanted) [index, entry] = [leaves.length, sealed]
      leaves.push(leafHash(leafText(sealed)))
    }
  }
  return { leaves, index, entry }
}
