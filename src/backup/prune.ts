import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDirectory } from '#kernel/postgres/lock'
import { syncDirectory } from './durable.ts'
import { listBackups, walIn } from './store.ts'
import { positionOf } from './wal.ts'
import { keptSegments } from './wal-files.ts'

/**
 * Removes all backups of the database system last backed up but the newest so many, and the WAL that none of those
 * needs. Returns the names of those removed. Killed at any point, what is listed is whole.
 */
export async function pruneBackups(directory: string, keep: number): Promise<string[]> {
  const lock = await lockDirectory(join(directory, 'backup'))
  try {
    const all = await listBackups(directory)
    const newest = all.at(-1)
    if (!newest) return []
    const { system } = newest.about
    const own = all.filter(({ about }) => about.system === system)
    const removed = own.slice(0, -keep)
    for (const backup of removed) {
      // No name of a backup any more, before the first file of it goes.
      await rename(backup.directory, `${backup.directory}.partial`)
      await syncDirectory(directory)
      await rm(`${backup.directory}.partial`, { recursive: true })
    }
    const oldest = own.slice(-keep).at(0)
    if (oldest) await removeWalBefore(walIn(directory, system), oldest.about)
    return removed.map(({ name }) => name)
  } finally {
    lock.release()
  }
}

async function removeWalBefore(
  wal: string,
  { start, segmentBytes }: { start: string; segmentBytes: number },
): Promise<void> {
  const first = positionOf(start) / BigInt(segmentBytes)
  for (const { path, number } of await keptSegments(wal, BigInt(segmentBytes))) if (number < first) await rm(path)
}
