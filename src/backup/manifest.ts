import { createHash } from 'node:crypto'
import { UsageError } from '#kernel/errors'
import { sha256 } from './durable.ts'

/** What PostgreSQL says is in a copy: the size and checksum of every file. */
export type Manifest = ReadonlyMap<string, { readonly bytes: number; readonly sha256: string }>

type Listed = {
  Files: { Path?: string; 'Encoded-Path'?: string; Size: number; 'Checksum-Algorithm'?: string; Checksum?: string }[]
}

/**
 * Reads PostgreSQL's manifest, whose last line is a checksum of all before it.
 * https://www.postgresql.org/docs/18/backup-manifest-format.html
 */
export function readManifest(text: string): Manifest {
  const own = /"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/.exec(text)
  const covered = text.slice(0, text.lastIndexOf('\n', text.trimEnd().length - 1) + 1)
  if (own?.[1] !== sha256(covered))
    throw new UsageError('backup_manifest is damaged: move that backup away, and the one before it is used.')
  const { Files }: Listed = JSON.parse(text)
  return new Map(
    Files.map((file) => {
      const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8')
      return [path, { bytes: file.Size, sha256: file.Checksum ?? '' }]
    }),
  )
}

/** Compares files with the manifest as they go by. */
export function createManifestCheck(manifest: Manifest) {
  const seen = new Set<string>()
  return {
    /** The content, passed on; throws at its end where it is not what the manifest says. */
    async *checked(name: string, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      const hash = createHash('sha256')
      let bytes = 0
      for await (const piece of content) {
        hash.update(piece)
        bytes += piece.length
        yield piece
      }
      const listed = manifest.get(name)
      seen.add(name)
      if (listed && (listed.bytes !== bytes || listed.sha256 !== hash.digest('hex')))
        throw new UsageError(
          `${name} in base.tar.zst is not what the manifest says: move that backup away, and the one before it is used.`,
        )
      // The WAL that comes along is checked by PostgreSQL, record by record.
      if (!listed && !isUnlisted(name)) throw new UsageError(`${name} in base.tar.zst is not in the manifest.`)
    },
    /** @throws UsageError when a file of the manifest has not come by. */
    finish(): void {
      const missing = [...manifest.keys()].filter((name) => !seen.has(name))
      if (missing.length > 0)
        throw new UsageError(`base.tar.zst lacks ${missing.length} files of the manifest, ${missing[0]} among them.`)
    },
  }
}

function isUnlisted(name: string): boolean {
  return name.startsWith('pg_wal/')
}
