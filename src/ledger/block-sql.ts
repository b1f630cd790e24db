import { arrayLiteral } from '#kernel/array-literal'
import { type Database, statement, type Tx } from '#kernel/database'
import type { Block, OpenBlock, SealedEntry } from './block.ts'

type BlockRow = {
  partition: number
  number: bigint
  entries: number
  first_offset: bigint
  last_offset: bigint
  first_ms: bigint
  last_ms: bigint
  previous: string
}

const OPEN = statement('ledger.open_blocks', 'select * from ledger.open_block where partition = any ($1)')
export async function openBlocks(tx: Tx, partitions: readonly number[]): Promise<Map<number, OpenBlock>> {
  const rows = await tx.query<BlockRow & { roots: string[] }>(OPEN, [partitions])
  return new Map(
    rows.map((row) => [row.partition, { ...placeOf(row), tree: { leaves: row.entries, roots: row.roots } }]),
  )
}

function placeOf({ partition, number, first_offset, last_offset, first_ms, last_ms, previous }: BlockRow) {
  return {
    partition,
    number: Number(number),
    firstOffset: `${first_offset}`,
    lastOffset: `${last_offset}`,
    firstAt: Number(first_ms),
    lastAt: Number(last_ms),
    previous,
  }
}

const WRITE_OPEN = statement(
  'ledger.write_open_blocks',
  `insert into ledger.open_block (partition, number, entries, first_offset, last_offset, first_ms, last_ms, roots, previous)
   select partition, number, entries, first_offset, last_offset, first_ms, last_ms, roots::text[], previous
   from unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
     $9::text[]) as b (partition, number, entries, first_offset, last_offset, first_ms, last_ms, roots, previous)
   on conflict (partition) do update
   set number = excluded.number, entries = excluded.entries, first_offset = excluded.first_offset,
     last_offset = excluded.last_offset, first_ms = excluded.first_ms, last_ms = excluded.last_ms, roots = excluded.roots,
     previous = excluded.previous`,
)
const WRITE = statement(
  'ledger.write_blocks',
  `insert into ledger.block (partition, number, entries, first_offset, last_offset, first_ms, last_ms, root, previous, hash)
   select * from unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
     $8::text[], $9::text[], $10::text[])`,
)
export async function writeBlocks(tx: Tx, closed: readonly Block[], open: readonly OpenBlock[]): Promise<void> {
  if (closed.length > 0) {
    await tx.query(WRITE, [
      ...placeArrays(closed, ({ entries }) => entries),
      closed.map(({ root }) => root),
      closed.map(({ previous }) => previous),
      closed.map(({ hash }) => hash),
    ])
  }
  await tx.query(WRITE_OPEN, [
    ...placeArrays(open, ({ tree }) => tree.leaves),
    open.map(({ tree }) => arrayLiteral(tree.roots)),
    open.map(({ previous }) => previous),
  ])
}

function placeArrays<Of extends Omit<Block, 'entries' | 'root' | 'hash'>>(
  blocks: readonly Of[],
  count: (block: Of) => number,
) {
  return [
    blocks.map(({ partition }) => partition),
    blocks.map(({ number }) => number),
    blocks.map(count),
    blocks.map(({ firstOffset }) => firstOffset),
    blocks.map(({ lastOffset }) => lastOffset),
    blocks.map(({ firstAt }) => firstAt),
    blocks.map(({ lastAt }) => lastAt),
  ]
}

const PAGE = statement(
  'ledger.block_page',
  'select * from ledger.block where partition = $1 and number > $2 order by number limit $3',
)
/** The blocks of a partition behind a number. */
export async function blockPage(database: Database, partition: number, after: number, limit: number): Promise<Block[]> {
  const rows = await database.query<BlockRow & { root: string; hash: string }>(PAGE, [partition, after, limit])
  return rows.map((row) => ({ ...placeOf(row), entries: row.entries, root: row.root, hash: row.hash }))
}

const COVERING = statement(
  'ledger.block_covering',
  `select * from ledger.block where partition = $1 and first_offset <= $2 and last_offset >= $2 order by number limit 1`,
)
/** The sealed block of a partition that an offset is in. */
export async function blockCovering(database: Database, partition: number, offset: bigint): Promise<Block | undefined> {
  const [row] = await database.query<BlockRow & { root: string; hash: string }>(COVERING, [partition, offset])
  return row && { ...placeOf(row), entries: row.entries, root: row.root, hash: row.hash }
}

/** An entry as its rows have it. */
export type EntryContent = Omit<SealedEntry, 'bookedAt'>

const CONTENTS = statement(
  'ledger.entry_contents',
  `select e.tenant, e.mode, e.source, e.id as entry, e.purpose, e.hold, c.details as conversion,
     case when r.reversed_by = e.source then r.source end as reverses,
     e.accounts, e.amounts::text[] as amounts, e.currencies,
     floor(extract(epoch from e.effective_at) * 1000)::float8 as effective_ms
   from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as w (tenant, mode, source, reverses)
   cross join lateral (
     select * from ledger.entry e where e.source = w.source and e.tenant = w.tenant and e.mode = w.mode limit 1
   ) e
   left join ledger.reversal r on r.tenant = w.tenant and r.mode = w.mode and r.source = w.reverses
   left join ledger.conversion c on c.tenant = w.tenant and c.mode = w.mode and c.source = w.source`,
)
type ContentRow = Omit<EntryContent, 'postings' | 'effectiveAt' | 'hold' | 'reverses' | 'conversion'> & {
  hold: string | null
  reverses: string | null
  conversion: SealedEntry['conversion'] | null
  accounts: string[]
  amounts: string[]
  currencies: string[]
  effective_ms: number
}
/** The rows of these entries, in any order. */
export async function entryContents(
  database: Database,
  wanted: readonly Pick<SealedEntry, 'tenant' | 'mode' | 'source' | 'reverses'>[],
): Promise<EntryContent[]> {
  const rows = await database.query<ContentRow>(CONTENTS, [
    wanted.map(({ tenant }) => tenant),
    wanted.map(({ mode }) => mode),
    wanted.map(({ source }) => source),
    wanted.map(({ reverses }) => reverses ?? null),
  ])
  return rows.map(({ accounts, amounts, currencies, effective_ms, hold, reverses, conversion, ...row }) => ({
    ...row,
    effectiveAt: effective_ms,
    ...(hold === null ? {} : { hold }),
    ...(reverses === null ? {} : { reverses }),
    ...(conversion ? { conversion } : {}),
    postings: accounts.map((account, place) => ({
      account,
      amount: amounts[place] ?? '',
      currency: currencies[place] ?? '',
    })),
  }))
}
