import { createHash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { crc32, zstdCompress, zstdDecompress } from 'node:zlib'
import { type ArchivedRow, lineOf, rowOf } from './row.ts'

// A segment is a file of blocks, each a Zstandard frame of JSON Lines (RFC 8878), and of an index behind them, in a
// skippable frame (section 3.1.2): `zstd -dc FILE` prints the events and passes over the index.

/** Raw bytes of a block: what has to be read and unpacked to get at one event. */
const BLOCK_BYTES = 256 * 1024
const SKIPPABLE = 0x184d2a50
const MARK = Buffer.from('MILLRACE')
const FOOTER_BYTES = 8 + MARK.length

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export type SegmentIndex = {
  readonly version: 1
  readonly topic: string
  readonly partition: number
  readonly firstOffset: number
  readonly endOffset: number
  /** Checksum of the segment before, of the same partition; null for the first. */
  readonly previous: string | null
  readonly blocks: readonly Block[]
}

type Block = {
  readonly at: number
  readonly bytes: number
  readonly firstOffset: number
  readonly checksum: string
  /** CRC-32 of every key and event id in it, sorted, four bytes each, in base64. */
  readonly names: string
}

/** What is in the archive is not what was written there. */
export class ArchiveDamaged extends Error {
  override name = 'ArchiveDamaged'
}

export type Written = { readonly bytes: number; readonly checksum: string; readonly endOffset: bigint }
type About = { readonly topic: string; readonly partition: number; readonly previous: string | null }

/** Writes rows to a new file and has it on the disk when this resolves. Undefined, and an empty file, for no rows. */
export async function writeSegment(
  path: string,
  about: About,
  pages: AsyncIterable<readonly ArchivedRow[]>,
): Promise<Written | undefined> {
  const file = await open(path, 'wx', 0o600)
  try {
    const out = createOut(file)
    const blocks: Block[] = []
    let endOffset: bigint | undefined
    for await (const rows of blocksOf(pages)) {
      blocks.push(await writeBlock(out, rows))
      endOffset = (rows.at(-1)?.offset ?? 0n) + 1n
    }
    if (endOffset === undefined) return undefined
    const firstOffset = blocks[0]?.firstOffset ?? 0
    await out.write(await indexFrame({ version: 1, ...about, firstOffset, endOffset: Number(endOffset), blocks }))
    await file.sync()
    return { bytes: out.at(), checksum: out.checksum(), endOffset }
  } finally {
    await file.close()
  }
}

function createOut(file: FileHandle) {
  const digest = createHash('sha256')
  let at = 0
  return {
    at: () => at,
    checksum: () => digest.copy().digest('hex'),
    async write(bytes: Buffer): Promise<void> {
      digest.update(bytes)
      at += bytes.length
      // writeFile goes on until all of it is written; write may stop in the middle.
      await file.writeFile(bytes)
    },
  }
}

async function* blocksOf(pages: AsyncIterable<readonly ArchivedRow[]>): AsyncGenerator<ArchivedRow[]> {
  let block: ArchivedRow[] = []
  let bytes = 0
  for await (const rows of pages) {
    for (const row of rows) {
      block.push(row)
      bytes += row.event.length + (row.attachment?.length ?? 0)
      if (bytes < BLOCK_BYTES) continue
      yield block
      block = []
      bytes = 0
    }
  }
  if (block.length > 0) yield block
}

async function writeBlock(out: ReturnType<typeof createOut>, rows: readonly ArchivedRow[]): Promise<Block> {
  const frame = await compress(Buffer.from(rows.map(lineOf).join('')))
  const at = out.at()
  await out.write(frame)
  const [first] = rows
  const checksum = hash('sha256', frame, 'hex')
  return { at, bytes: frame.length, firstOffset: Number(first?.offset), checksum, names: namesIn(rows) }
}

function namesIn(rows: readonly ArchivedRow[]): string {
  const names = new Set(rows.flatMap(({ key, event }) => [crc32(key), crc32(idIn(event))]))
  const sorted = Uint32Array.from(names).sort()
  const bytes = Buffer.alloc(sorted.length * 4)
  for (const [place, name] of sorted.entries()) bytes.writeUInt32LE(name, place * 4)
  return bytes.toString('base64')
}

function idIn(event: string): string {
  const { id }: { id: string } = JSON.parse(event)
  return id
}

async function indexFrame(index: SegmentIndex): Promise<Buffer> {
  const packed = await compress(Buffer.from(JSON.stringify(index)))
  const head = Buffer.alloc(8)
  head.writeUInt32LE(SKIPPABLE, 0)
  head.writeUInt32LE(packed.length + FOOTER_BYTES, 4)
  const footer = Buffer.alloc(8)
  footer.writeUInt32LE(crc32(packed), 0)
  footer.writeUInt32LE(packed.length, 4)
  return Buffer.concat([head, packed, footer, MARK])
}

/** SHA-256 of the file as it is on the disk now. */
export async function checksumOf(path: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const bytes of createReadStream(path)) digest.update(bytes)
  return digest.digest('hex')
}

/** @throws ArchiveDamaged when the file does not end in an index. */
export async function readIndex(path: string): Promise<SegmentIndex> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const footer = await bytesAt(file, size - FOOTER_BYTES, FOOTER_BYTES)
    const length = footer.readUInt32LE(4)
    const packed = await bytesAt(file, size - FOOTER_BYTES - length, length)
    const isWhole = footer.subarray(8).equals(MARK) && crc32(packed) === footer.readUInt32LE(0)
    if (!isWhole) throw new ArchiveDamaged(`${path} does not end in an index`)
    return JSON.parse((await unpacked(path, packed)).toString())
  } finally {
    await file.close()
  }
}

/** The block that holds an offset, or the first one after `name` may be in; the index's checksum of it compared. */
export async function readBlock(path: string, block: Block): Promise<ArchivedRow[]> {
  const file = await open(path)
  try {
    const frame = await bytesAt(file, block.at, block.bytes)
    if (hash('sha256', frame, 'hex') !== block.checksum) {
      throw new ArchiveDamaged(`${path} is damaged in the block of offset ${block.firstOffset}`)
    }
    const text = (await unpacked(path, frame)).toString('utf8')
    return text.slice(0, -1).split('\n').map(rowOf)
  } finally {
    await file.close()
  }
}

/** The block that an offset is in. */
export function blockOf({ blocks }: SegmentIndex, offset: number): Block | undefined {
  return blocks.findLast(({ firstOffset }) => firstOffset <= offset)
}

/** Blocks that may hold events of this key or id: hardly any that do not, and all that do. */
export function blocksNaming({ blocks }: SegmentIndex, name: string): Block[] {
  const wanted = crc32(name)
  return blocks.filter(({ names }) => holds(Buffer.from(names, 'base64'), wanted))
}

function holds(sorted: Buffer, wanted: number): boolean {
  let [low, high] = [0, sorted.length / 4]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted.readUInt32LE(middle * 4) < wanted) low = middle + 1
    else high = middle
  }
  return low < sorted.length / 4 && sorted.readUInt32LE(low * 4) === wanted
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = at < 0 ? { bytesRead: 0 } : await file.read(bytes, 0, length, at)
  if (bytesRead < length) throw new ArchiveDamaged('a segment is shorter than it was written')
  return bytes
}

async function unpacked(path: string, frame: Buffer): Promise<Buffer> {
  try {
    return await decompress(frame)
  } catch (error) {
    throw new ArchiveDamaged(`${path} cannot be unpacked`, { cause: error })
  }
}
