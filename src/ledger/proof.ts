import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import { archivedEventsNamed, createHistory, eventsOfKey, type History } from '#log'
import type { Archive } from '#log/archive'
import { type Block, blockText, leafText, type SealedEntry } from './block.ts'
import { blockCovering, blockPage } from './block-sql.ts'
import type { Whose } from './book-sql.ts'
import { entrySourceOf } from './entry-source.ts'
import { entryPosted } from './events.ts'
import { inclusionPath, leafHash } from './merkle.ts'
import { sealedIn } from './sealed-entry.ts'
import { findEntry } from './search.ts'

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
  /** The same of each block behind it, up to the one that was asked for: each holds the hash of the one before. */
  readonly chain: readonly string[]
}

export type ProofOutcome =
  | { readonly status: 'proven'; readonly proof: InclusionProof }
  /** It is booked, and the block that it will be in is not sealed yet. */
  | { readonly status: 'provisional' }
  /** Events that are needed are in the archive alone, and it was not given. */
  | { readonly status: 'archived' }
  | { readonly status: 'not_found' }
  /** The block that was asked for is not behind the entry's, or too far. */
  | { readonly status: 'no_chain' }

const EVENTS_MAX = 1_000
const PAGE = 1_000
/** A week, where a block is sealed every minute; some megabytes. */
const CHAIN_MAX = 10_000

/**
 * Proves that an entry is in a sealed block: by its own id, the one it was asked for under, or its source. With the hash of
 * a block as somebody noted it, `head`, of the same partition, the proof leads up to that one.
 */
export async function proveEntry(
  database: Database,
  whose: Whose,
  name: string,
  { archive, head }: { readonly archive?: Archive | undefined; readonly head?: string | undefined } = {},
): Promise<ProofOutcome> {
  const found = await findEntry(database, whose, name)
  if (!found) return { status: 'not_found' }
  const place = await placeOf(database, whose, found.source, archive)
  if (!place) return { status: 'archived' }
  const block = await blockCovering(database, place.partition, place.offset)
  if (!block) return { status: 'provisional' }
  const chain = head === undefined ? [] : await chainTo(database, block, head)
  if (!chain) return { status: 'no_chain' }
  const history = createHistory({ database, ...(archive ? { archive } : {}) })
  const read = await leavesOf(history, block, place.offset).catch(unlessArchived)
  if (!read) return { status: 'archived' }
  const { leaves, index, entry } = read
  invariant(entry, `block ${block.number} of ledger/${place.partition} covers the entry`)
  const { hash, ...sealed } = block
  const text = leafText(entry)
  const proof = {
    entry: text,
    leaf: leafHash(text),
    index,
    path: inclusionPath(leaves, index),
    block: blockText(sealed),
    hash,
    chain,
  }
  return { status: 'proven', proof }
}

/** The texts of the blocks behind one, up to the one of this hash; undefined where it is not among them. */
async function chainTo(database: Database, block: Block, head: string): Promise<string[] | undefined> {
  if (block.hash === head) return []
  const chain: string[] = []
  for (let { number } = block; chain.length < CHAIN_MAX; ) {
    const blocks = await blockPage(database, block.partition, number, PAGE)
    for (const { hash, ...sealed } of blocks) {
      chain.push(blockText(sealed))
      if (hash === head) return chain
    }
    const last = blocks.at(-1)
    if (!last) return undefined
    number = last.number
  }
  return undefined
}

function unlessArchived(error: unknown): undefined {
  if (!(error instanceof UsageError)) throw error
}

/** What payments book is under the payment's key, everything else under its own source. */
async function placeOf(database: Database, { tenant, mode }: Whose, source: string, archive: Archive | undefined) {
  for (const key of [source, source.split('/', 1)[0] ?? '']) {
    const about = { key, tenant, mode, limit: EVENTS_MAX }
    const archived = archive ? await archivedEventsNamed(database, archive, key) : []
    for (const event of [...(await eventsOfKey(database, about)), ...archived]) {
      if (event.type !== entryPosted.type || event.tenant !== tenant || event.mode !== mode) continue
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
