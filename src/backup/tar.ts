import { invariant } from '#kernel/invariant'

/** An entry of a tar archive as PostgreSQL writes them: POSIX ustar, names below 100 characters. */
export type TarEntry = {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'other'
  readonly bytes: number
  /** To be read to its end before the next entry is asked for. */
  readonly content: AsyncIterable<Buffer>
}

const BLOCK = 512

/** The entries of an archive, in order, without holding more than a piece of it. */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const bytes = createByteReader(source)
  for (;;) {
    const header = await bytes.exactly(BLOCK)
    // It ends with empty blocks, or, as some versions of the protocol have it, without.
    if (header === undefined || header.every((byte) => byte === 0)) break
    const size = octalIn(header, 124, 12)
    const padded = Math.ceil(size / BLOCK) * BLOCK
    const content = contentOf(bytes, size)
    yield { name: textIn(header, 0, 100), kind: kindOf(header), bytes: size, content }
    for await (const _ of content) invariant(false, 'an entry is read to its end before the next')
    for await (const _ of bytes.pieces(padded - size));
  }
}

type ByteReader = ReturnType<typeof createByteReader>

async function* contentOf(bytes: ByteReader, size: number): AsyncGenerator<Buffer> {
  yield* bytes.pieces(size)
}

function kindOf(header: Buffer): TarEntry['kind'] {
  const flag = textIn(header, 156, 1)
  if (flag === '' || flag === '0') return 'file'
  return flag === '5' ? 'directory' : 'other'
}

function createByteReader(source: AsyncIterable<Buffer>) {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)

  async function more(): Promise<boolean> {
    const { value, done } = await iterator.next()
    if (!done) rest = value
    return !done
  }
  return {
    /** So many bytes at once; undefined at the end of the source. */
    async exactly(count: number): Promise<Buffer | undefined> {
      const parts: Buffer[] = []
      for await (const piece of this.pieces(count, true)) parts.push(piece)
      return parts.length === 0 && count > 0 ? undefined : Buffer.concat(parts)
    },
    /** So many bytes as they come. */
    async *pieces(count: number, mayEnd = false): AsyncGenerator<Buffer> {
      let left = count
      while (left > 0) {
        if (rest.length === 0 && !(await more())) {
          invariant(mayEnd && left === count, 'an archive is whole')
          return
        }
        const piece = rest.subarray(0, left)
        rest = rest.subarray(piece.length)
        left -= piece.length
        if (piece.length > 0) yield piece
      }
    },
  }
}

function textIn(header: Buffer, at: number, length: number): string {
  return header.toString('utf8', at, at + length).split('\0', 1)[0] ?? ''
}

function octalIn(header: Buffer, at: number, length: number): number {
  // Sizes beyond 8 GB have the first bit set and are binary.
  if ((header[at] ?? 0) & 0x80) return Number(header.readBigUInt64BE(at + length - 8))
  return Number.parseInt(textIn(header, at, length).trim() || '0', 8)
}
