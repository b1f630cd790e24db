import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import type { FileSum } from './durable.ts'

/** The level that costs least: a backup shares the machine with payments. The frame's own checksum finds a flipped bit. */
const options = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } }

/** Writes what comes compressed (Zstandard, RFC 8878), and returns when it is on disk. */
export async function writeCompressed(
  path: string,
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<FileSum> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx', 0o600)
  try {
    await pipeline(Readable.from(source, { objectMode: false }), createZstdCompress(options), async (compressed) => {
      for await (const chunk of compressed) {
        hash.update(chunk)
        bytes += chunk.length
        await file.writeFile(chunk)
      }
    })
    await file.sync()
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** What was written, in pieces. Rejects where a bit of it has changed, or its end is missing. */
export async function* readCompressed(path: string): AsyncGenerator<Buffer> {
  const decompressed = createZstdDecompress()
  const done = pipeline(createReadStream(path), decompressed)
  done.catch(() => {}) // The reader below meets the same error.
  for await (const piece of decompressed) yield piece
  await done
}
