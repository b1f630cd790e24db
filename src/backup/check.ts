import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { readCompressed } from './compressed-file.ts'
import { createManifestCheck, readManifest } from './manifest.ts'
import { damagesOf, type FoundBackup } from './store.ts'
import { readTar, type TarEntry } from './tar.ts'

/**
 * Goes through all of a backup: its files by their sums, then every file in the archive by PostgreSQL's manifest. `entry`
 * has to read what it is given to its end. @throws UsageError for the first thing that does not add up.
 */
export async function readBackup(backup: FoundBackup, entry: (entry: TarEntry) => Promise<void>): Promise<void> {
  const [damage] = await damagesOf(backup)
  if (damage !== undefined)
    throw new UsageError(
      `The backup ${backup.name} cannot be used: ${damage}. Move it away, and the one before it is used.`,
    )
  const manifest = readManifest(await readFile(join(backup.directory, 'backup_manifest'), 'utf8'))
  const check = createManifestCheck(manifest)
  for await (const found of readTar(readCompressed(join(backup.directory, 'base.tar.zst')))) {
    if (found.kind === 'other') throw new UsageError(`${found.name} in base.tar.zst is neither a file nor a directory.`)
    if (!isBelow(found.name)) throw new UsageError(`${found.name} in base.tar.zst leads outside the data directory.`)
    await entry(found.kind === 'file' ? { ...found, content: check.checked(found.name, found.content) } : found)
  }
  check.finish()
}

/** The same for who only wants to know. Returns how many bytes it would restore. */
export async function checkBackup(backup: FoundBackup): Promise<number> {
  let bytes = 0
  await readBackup(backup, async ({ content }) => {
    for await (const piece of content) bytes += piece.length
  })
  return bytes
}

function isBelow(name: string): boolean {
  return !name.startsWith('/') && !name.split('/').includes('..')
}
