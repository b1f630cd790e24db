import { isDeepStrictEqual } from 'node:util'
import type { Database } from '#kernel/database'
import { createHistory, type History, stretchSince } from '#log'
import { type Block, type Head, type OpenBlock, type SealedEntry, seal } from './block.ts'
import { blockPage, type EntryContent, entryContents } from './block-sql.ts'
import { entryPosted } from './events.ts'
import { type LedgerRow, sealedIn } from './sealed-entry.ts'

/** More than this, and a person has seen enough. */
const FINDINGS_MAX = 20
const PAGE = 1_000

export type SealVerdict = {
  /** Entries on the log, and blocks whose hashes were made again and compared. */
  readonly entries: number
  readonly blocks: number
  /** The last sealed block of each partition. */
  readonly heads: readonly Head[]
  /** What is wrong and where, a sentence each; empty when all is well. */
  readonly findings: readonly string[]
}

/**
 * Makes every block again from the entries on the log and compares them with those that were sealed, and every entry with
 * its row in the ledger. An entry that was changed, removed, moved or slipped in, on the log or in the ledger, is found and
 * named, unless whoever did it has made all blocks behind it anew: hashes of blocks that were `noted` elsewhere tell that.
 */
export async function verifyBlocks(
  database: Database,
  history: History = createHistory({ database }),
  noted: readonly string[] = [],
): Promise<SealVerdict> {
  const findings: string[] = []
  const missing = new Set(noted)
  const heads = new Map<number, Head>()
  const sealed = sealedBlocks(database)
  const open = new Map<number, OpenBlock>()
  let [entries, blocks] = [0, 0]
  const stretch = await stretchSince(database, [entryPosted.topic], new Date(0))
  for await (const batch of history.read(stretch)) {
    const posted = batch.flatMap(postedOf)
    for (const { partition, offset, entry } of posted) {
      const next = seal(open.get(partition), { partition, offset }, entry)
      open.set(partition, next.open)
      if (!next.closed) continue
      const before = await sealed.next(partition)
      if (before === undefined) continue
      blocks++
      missing.delete(before.hash)
      heads.set(partition, { partition, number: before.number, hash: before.hash })
      if (!isDeepStrictEqual(before, next.closed)) findings.push(different(before, next.closed))
    }
    entries += posted.length
    findings.push(...(await differentRows(database, posted)))
    if (findings.length >= FINDINGS_MAX) break
  }
  findings.push(...[...missing].map(notThere))
  return { entries, blocks, heads: [...heads.values()], findings: findings.slice(0, FINDINGS_MAX) }
}

/** Said of a block that somebody noted. */
export function notThere(hash: string): string {
  return `no block has the hash ${hash} that was noted: blocks were removed from the end, or made anew`
}

type Posted = { readonly partition: number; readonly offset: bigint; readonly entry: SealedEntry }

function postedOf(row: LedgerRow): Posted[] {
  const entry = sealedIn(row)
  return entry ? [{ partition: row.partition, offset: row.offset, entry }] : []
}

/** The blocks as they were sealed, partition by partition, one after the other. */
function sealedBlocks(database: Database) {
  const waiting = new Map<number, Block[]>()
  const last = new Map<number, number>()
  return {
    async next(partition: number): Promise<Block | undefined> {
      let blocks = waiting.get(partition) ?? []
      if (blocks.length === 0) blocks = await blockPage(database, partition, last.get(partition) ?? 0, PAGE)
      const [block, ...rest] = blocks
      waiting.set(partition, rest)
      if (block) last.set(partition, block.number)
      return block
    },
  }
}

/** In which block, and what of it, is not as it was sealed. */
export function different(before: Block, now: Block): string {
  const where = nameOfBlock(before)
  if (before.root !== now.root) return `${where}: an entry of it is not as it was sealed`
  if (before.previous !== now.previous) return `${where}: the block before it is another than when it was sealed`
  return `${where}: it is not as it was sealed`
}

export function nameOfBlock({ number, partition, firstOffset, lastOffset }: Block): string {
  return `block ${number} of ledger/${partition}, offsets ${firstOffset} to ${lastOffset}`
}

async function differentRows(database: Database, posted: readonly Posted[]): Promise<string[]> {
  const rows = await entryContents(
    database,
    posted.map(({ entry }) => entry),
  )
  const nameOf = ({ tenant, mode, source }: Pick<SealedEntry, 'tenant' | 'mode' | 'source'>) =>
    `${tenant}\n${mode}\n${source}`
  const found = new Map(rows.map((row) => [nameOf(row), row]))
  return posted.flatMap(({ partition, offset, entry }) => {
    const row = found.get(nameOf(entry))
    const place = `entry ${entry.source} (ledger/${partition} at ${offset})`
    if (!row) return [`${place} is on the log and not in the ledger`]
    return isDeepStrictEqual(contentOf(entry), contentOf(row))
      ? []
      : [`${place} is in the ledger with other content than on the log`]
  })
}

/** What the ledger keeps of an entry. Of whatever else its event may say, the block alone speaks. */
function contentOf({ entry, purpose, effectiveAt, hold, reverses, conversion, postings }: EntryContent) {
  const plain = postings.map(({ account, amount, currency }) => [account, amount, currency])
  return { entry, purpose, effectiveAt, hold, reverses, conversion, postings: plain }
}
