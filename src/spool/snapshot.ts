import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '#kernel/clock'
import type { MasterKey } from '#kernel/master-key'
import type { Random } from '#kernel/random'
import { decrypt, encrypt } from '#kernel/seal-cipher'

/** Older than this, what is in it may have been revoked too long ago: it is not used. */
export const SNAPSHOT_AGE_MAX_MS = 24 * 60 * 60_000

export type Snapshot<Content> = {
  /** Replaces what was kept before, whole or not at all. */
  keep(content: Content): Promise<void>
  /** Undefined where there is none, it is too old, or it was not sealed under this master key. */
  read(): Promise<Content | undefined>
}

/** A file that holds what a process has to know where the database cannot be asked: sealed, and dated. */
export function createSnapshot<Content>(options: {
  readonly path: string
  readonly masterKey: MasterKey
  readonly random: Random
  readonly clock: Clock
  /** Whether what was read is of the shape that is kept. */
  isContent(value: unknown): value is Content
}): Snapshot<Content> {
  const { path, random, clock, isContent } = options
  const key = options.masterKey.derive('snapshot')
  return {
    async keep(content) {
      const sealed = encrypt(key, random, JSON.stringify({ takenAt: clock.now(), content }), CONTEXT)
      const aside = `${path}.${random.bytes(6).toString('hex')}`
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await writeDurably(aside, sealed)
      await rename(aside, path)
    },
    async read() {
      try {
        const { takenAt, content } = JSON.parse(decrypt(key, await readFile(path), CONTEXT).toString('utf8'))
        const isYoung = typeof takenAt === 'number' && clock.now() - takenAt <= SNAPSHOT_AGE_MAX_MS
        return isYoung && isContent(content) ? content : undefined
      } catch {
        return undefined
      }
    },
  }
}

const CONTEXT = 'snapshot'

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
