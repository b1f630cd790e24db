import { entryPosted } from './events.ts'
import { digits, type Exported, type ExportedRow, instant, type Placed, placeOf, small, text } from './exported.ts'
import type { LedgerRow } from './sealed-entry.ts'

/** The events of a segment of the archive; rejects where they are not those that were archived. */
export type ReadSegment = (segment: {
  readonly file: string
  readonly checksum: string
}) => AsyncIterable<readonly (Omit<LedgerRow, 'partition' | 'time'> & { readonly time: string })[]>

/** Is led along topic `ledger`, partition by partition, in the order of offsets. */
export type LogVisitor = {
  /** Undefined where no archive was given. */
  readonly readSegment: ReadSegment | undefined
  tell(finding: string): void
  begin(partition: number): Promise<void>
  /** What stands before the offset is in the archive alone, which was not given. */
  skipTo(offset: bigint): Promise<void>
  row(row: LedgerRow, where: string): Promise<void>
  end(partition: number, nextOffset: bigint): Promise<void>
}

type Segment = {
  readonly partition: number
  readonly firstOffset: bigint
  readonly endOffset: bigint
  /** Of its file, within the archive. */
  readonly path: string
  readonly checksum: string
}

/** Leads along the log as it was exported, and along the archive where the log has dropped what is there. */
export async function walkLog(exported: Exported, visitor: LogVisitor): Promise<void> {
  const { tell } = visitor
  const heads = await all(exported.rows('log.partition', entryPosted.topic), headIn, tell)
  const segments = await all(exported.rows('log.segment', entryPosted.topic), segmentIn, tell)
  const rows = oneAhead(readable(exported.rows('log.record', entryPosted.topic), recordIn, tell))
  for (const { partition, nextOffset } of heads.toSorted((one, other) => one.partition - other.partition)) {
    const own = segments.filter((segment) => segment.partition === partition)
    await visitor.begin(partition)
    await walkPartition({ partition, nextOffset, segments: own, rows, visitor })
    await visitor.end(partition, nextOffset)
  }
  for (let left = await rows.peek(); left; left = await rows.peek()) {
    tell(`${placeOf(left)}: ledger/${left.partition} at ${left.offset} stands where no event of it should`)
    rows.take()
  }
}

type Walk = {
  readonly partition: number
  readonly nextOffset: bigint
  readonly segments: readonly Segment[]
  readonly rows: ReturnType<typeof oneAhead>
  readonly visitor: LogVisitor
}

async function walkPartition(walk: Walk): Promise<void> {
  const { partition, nextOffset, segments, rows, visitor } = walk
  let [next, archivedUntil] = [0n, 0n]
  while (true) {
    const row = await rows.peek()
    const own = row?.partition === partition ? row : undefined
    if (own && own.offset <= next) {
      rows.take()
      if (own.offset === next) {
        await visitor.row(own, placeOf(own))
        next++
      } else if (own.offset >= archivedUntil) {
        visitor.tell(`${placeOf(own)}: ledger/${partition} at ${own.offset} stands behind ${next - 1n}`)
      }
      continue
    }
    if (!own && next >= nextOffset) return
    const until = own?.offset ?? nextOffset
    const segment = segments.find(({ firstOffset, endOffset }) => firstOffset <= next && next < endOffset)
    if (!segment) {
      visitor.tell(
        `${own ? placeOf(own) : 'log.record.jsonl.zst'}: ledger/${partition} has nothing from ${next} to ${until - 1n}`,
      )
      next = until
    } else if (visitor.readSegment) {
      await visitSegment(walk, segment, next)
      next = archivedUntil = segment.endOffset
    } else {
      next = segment.endOffset
      if (until < next) next = until
      await visitor.skipTo(next)
    }
  }
}

async function visitSegment({ partition, visitor }: Walk, segment: Segment, from: bigint): Promise<void> {
  const { path: file, checksum } = segment
  let next = from
  try {
    for await (const rows of visitor.readSegment?.({ file, checksum }) ?? []) {
      for (const { offset, key, type, time, event } of rows) {
        if (offset < next) continue
        if (offset > next) visitor.tell(`${file}: ledger/${partition} has nothing from ${next} to ${offset - 1n}`)
        await visitor.row({ partition, offset, key, type, time: new Date(time), event }, file)
        next = offset + 1n
      }
    }
    if (next < segment.endOffset) visitor.tell(`${file}: ledger/${partition} ends at ${next}`)
  } catch (error) {
    visitor.tell(`${file}: ${error instanceof Error ? error.message : 'it cannot be read'}`)
  }
}

/** With a look at the next one before it is taken. */
function oneAhead(source: AsyncIterable<Placed<LedgerRow>>) {
  const items = source[Symbol.asyncIterator]()
  let ahead: IteratorResult<Placed<LedgerRow>, unknown> | undefined
  return {
    async peek(): Promise<Placed<LedgerRow> | undefined> {
      ahead ??= await items.next()
      return ahead.done ? undefined : ahead.value
    },
    take(): void {
      ahead = undefined
    },
  }
}

/** Rows as they are read, with where they stand; what cannot be read is told and passed over. */
export async function* readable<Of>(
  rows: AsyncIterable<ExportedRow>,
  read: (row: ExportedRow) => Of,
  tell: (finding: string) => void,
): AsyncGenerator<Placed<Of>> {
  for await (const row of rows) {
    const { file, line } = row
    let found: Of
    try {
      found = read(row)
    } catch (error) {
      tell(`${placeOf(row)}: ${error instanceof Error ? error.message : 'it cannot be read'}`)
      continue
    }
    yield { ...found, file, line }
  }
}

async function all<Of>(rows: AsyncIterable<ExportedRow>, read: (row: ExportedRow) => Of, tell: LogVisitor['tell']) {
  const found: Placed<Of>[] = []
  for await (const one of readable(rows, read, tell)) found.push(one)
  return found
}

function recordIn(row: ExportedRow): LedgerRow {
  return {
    partition: small(row, 'partition'),
    offset: digits(row, 'offset'),
    key: text(row, 'key'),
    type: text(row, 'type'),
    time: new Date(instant(row, 'time')),
    event: text(row, 'event'),
  }
}

function headIn(row: ExportedRow) {
  return { partition: small(row, 'partition'), nextOffset: digits(row, 'next_offset') }
}

function segmentIn(row: ExportedRow): Segment {
  return {
    partition: small(row, 'partition'),
    firstOffset: digits(row, 'first_offset'),
    endOffset: digits(row, 'end_offset'),
    path: text(row, 'file'),
    checksum: text(row, 'checksum'),
  }
}
