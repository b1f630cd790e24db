import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { systemRandom } from '#kernel/random'
import { archiveOnce } from '#log'
import { type Archive, createArchive } from '#log/archive'

type Ending = { after(work: () => Promise<void>): void }

/** An archive of the test's own. */
export function openArchive(t: Ending): Archive {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-archive-'))
  t.after(() => rm(directory, { recursive: true }))
  return createArchive(directory, systemRandom)
}

/** Archives everything there is, as `millrace archive --all` does, and drops what is older; says how many segments. */
export async function archiveAll(database: Database, archive: Archive, retentionMs?: number) {
  const done = { archived: 0, dropped: 0, restored: 0 }
  const settings = { archive, ...(retentionMs === undefined ? {} : { retentionMs }), database, clock: systemClock }
  const failed = (problem: string): never => {
    throw new Error(problem)
  }
  const about = { ...settings, process: 'archived by hand', all: true, warn: failed }
  for await (const kept of archiveOnce(about, () => failed('another process archives'))) done[kept.done]++
  return done
}
