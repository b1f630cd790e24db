import { invariant } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import type { Head, SealedEntry } from './block.ts'
import { entryPosted } from './events.ts'
import { digits, type Exported, type ExportedRow, placeOf, small, text } from './exported.ts'
import { blockIn, ExportedBlocks, openBlockIn } from './exported-blocks.ts'
import {
  countCopies,
  countStatements,
  countSums,
  countTables,
  idIn,
  isBalanced,
  type Tallies,
} from './exported-copies.ts'
import { type ReadSegment, readable, walkLog } from './exported-log.ts'
import { type LedgerRow, sealedIn } from './sealed-entry.ts'
import { type Difference, Tally } from './tally.ts'

/** More than this, and a person has seen enough. */
const FINDINGS_MAX = 20

export type ExportVerdict = {
  readonly entries: number
  readonly postings: number
  /** Sealed blocks that were made again. */
  readonly blocks: number
  /** The last block of each partition. */
  readonly heads: readonly Head[]
  /** False where entries are in the archive alone, and it was not given: then nothing was compared with the log. */
  readonly isWhole: boolean
  /** What is wrong and where, a sentence each; empty when all is well. */
  readonly findings: readonly string[]
}

type About = {
  /** Whoever forges an export must not know what is drawn. */
  readonly random: Random
  /** Hashes of blocks that somebody noted: each has to be there. */
  readonly noted?: readonly string[]
  readonly readSegment?: ReadSegment
}

/**
 * Checks the books of an export with nothing but its files: makes every block again from the entries on the log, compares
 * each entry with its row in the ledger, adds up all postings, and compares the sums with balances and statements. Memory
 * does not grow with the entries. What is found is told with its file, line, entry and block.
 */
export async function verifyExport(exported: Exported, about: About): Promise<ExportVerdict> {
  const findings: string[] = []
  const { random } = about
  const first = { copies: new Tally(random), sums: new Tally(random), statements: new Tally(random) }
  const seen = await goThrough(exported, about, first, (finding) => void findings.push(finding))
  const damages = [...exported.damages]
  // What is in the archive alone cannot be compared with the log; sums of the ledger's own entries can be made.
  const compared = seen.isWhole ? [first.copies, first.sums, first.statements] : [first.sums]
  if (compared.some((tally) => tally.differs())) {
    const second = {
      copies: first.copies.closer(random),
      sums: first.sums.closer(random),
      statements: first.statements.closer(random),
    }
    await goThrough(exported, about, second, () => {})
    const shown = seen.isWhole ? [second.copies, second.sums, second.statements] : [second.sums]
    findings.push(...shown.flatMap((tally) => tally.differences()).map(sentenceOf))
  }
  return { ...seen, findings: [...damages, ...findings].slice(0, FINDINGS_MAX) }
}

type Tell = (finding: string) => void

async function goThrough(exported: Exported, about: About, tallies: Tallies, tellAll: Tell) {
  let told = 0
  const tell: Tell = (finding) => {
    if (told++ < FINDINGS_MAX) tellAll(finding)
  }
  const log = await goAlongLog(exported, about, tallies, tell)
  return { ...log, ...(await countTables(exported, tallies, tell)) }
}

/** Along the log: the blocks, and what each entry has to have left in the tables. */
async function goAlongLog(exported: Exported, { noted = [], readSegment }: About, tallies: Tallies, tell: Tell) {
  const folded = await offsetsOf(exported, 'ledger.balances', tell)
  const sealed = await offsetsOf(exported, 'ledger.statements', tell)
  const open = await openBlocks(exported, tell)
  const sealedBlocks = readable(exported.rows('ledger.block'), blockIn, tell)
  const blocks = new ExportedBlocks({ blocks: sealedBlocks, noted: new Set(noted), tell })
  let isWhole = true
  await walkLog(exported, {
    tell,
    readSegment,
    begin: (partition) => blocks.begin(partition),
    skipTo(offset) {
      isWhole = false
      return blocks.skipTo(offset)
    },
    async row(row, where) {
      const entry = entryIn(row, where, tell)
      if (!entry) return
      const { partition, offset, key } = row
      const place = (): string => `${where}, ledger/${partition} at ${offset}`
      if (!isBalanced(entry)) tell(`${place()}: entry ${entry.source} (${entry.entry}) does not balance`)
      countCopies(tallies.copies, entry, place)
      // What the balances had not read yet when they were exported is not in them.
      if (offset >= (folded.get(partition) ?? 0n)) countSums(tallies.sums, entry, place, -1n)
      if (offset >= (sealed.get(partition) ?? 0n)) return
      countStatements(tallies.statements, entry, key, place)
      await blocks.add({ partition, offset, where }, entry)
    },
    end(partition, nextOffset) {
      for (const read of [folded.get(partition) ?? 0n, sealed.get(partition) ?? 0n]) {
        if (read > nextOffset)
          tell(`log.checkpoint.jsonl.zst: ledger/${partition} ends at ${nextOffset}, and was read to ${read}`)
      }
      return blocks.end(open.get(partition))
    },
  })
  await blocks.finish()
  return { blocks: blocks.made, heads: blocks.heads, isWhole }
}

function entryIn(row: LedgerRow, where: string, tell: Tell): SealedEntry | undefined {
  try {
    return sealedIn(row)
  } catch {
    tell(`${where}: ledger/${row.partition} at ${row.offset} cannot be read as an entry`)
    return undefined
  }
}

/** How far a projection had read each partition. */
async function offsetsOf(exported: Exported, group: string, tell: Tell): Promise<Map<number, bigint>> {
  const read = (row: ExportedRow) => {
    invariant(text(row, 'topic') === entryPosted.topic, `${group} reads no other topic than ${entryPosted.topic}`)
    return { partition: small(row, 'partition'), offset: digits(row, 'next_offset') }
  }
  const offsets = new Map<number, bigint>()
  for await (const { partition, offset } of readable(exported.rows('log.checkpoint', group), read, tell)) {
    offsets.set(partition, offset)
  }
  return offsets
}

async function openBlocks(exported: Exported, tell: Tell) {
  const found = new Map<number, Parameters<ExportedBlocks['end']>[0]>()
  for await (const block of readable(exported.rows('ledger.open_block'), openBlockIn, tell)) {
    if (found.has(block.partition)) tell(`${placeOf(block)}: its partition has two blocks that grow`)
    found.set(block.partition, block)
  }
  return found
}

function sentenceOf({ subject, found }: Difference): string {
  const log = found.find(({ side }) => side === 'log')
  const table = found.find(({ side }) => side === 'table')
  const { place = '', content = '' } = table ?? log ?? {}
  const name = nameOf(subject, content)
  if (subject[0] === 'balance' || subject[0] === 'day') {
    const amounts = found.map(({ side, content: what, weight }) => `${what} ${weight} by its ${sides[side]}`)
    return `${place}: ${name} is not the sum of its postings: ${amounts.join(', ')}`
  }
  if (log && table) return `${place}: ${name} is not as on the log (${log.place})`
  return log
    ? `${place}: ${name} is on the log and not in the ledger`
    : `${place}: ${name} is in the ledger and not on the log`
}

const sides = { log: 'postings', table: 'row' } as const

function nameOf([kind, , , ...about]: readonly string[], content: string): string {
  const [first = '', second = '', third = '', fourth = ''] = about
  if (kind === 'entry') return `entry ${first} (${idIn(content)})`
  if (kind === 'reversal') return `what reverses ${first}`
  if (kind === 'conversion') return `what ${first} converts`
  if (kind === 'line') return `the line of ${third} on ${first} in ${second}`
  if (kind === 'day') return `what happened to ${first} in ${second} on ${third} and was booked on ${fourth}`
  return `the balance of ${first} in ${second}`
}
