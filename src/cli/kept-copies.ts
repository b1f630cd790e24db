import { join } from 'node:path'
import { followWal, type WalReport } from '#backup'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import type { Database } from '#kernel/database'
import { applyErasures, readErasures } from '#kernel/erasure-register'
import type { Logger } from '#kernel/telemetry'

/** Where it is written down who was erased: beside the database, and beside its backups where there are any. */
export function registersOf({ dataDir, backup }: Pick<Config, 'dataDir' | 'backup'>): string[] {
  return [dataDir, ...(backup.dir === undefined ? [] : [backup.dir])].map((directory) =>
    join(directory, 'erasures.jsonl'),
  )
}

/** Before the door opens: a database that was put back from somewhere does not know who was erased since. */
export async function eraseAgain(config: Config, database: Database, logger: Logger): Promise<void> {
  const erasures = (await Promise.all(registersOf(config).map(readErasures))).flat()
  const subjects = erasures.length === 0 ? 0 : await applyErasures(database, erasures)
  if (subjects > 0) logger.warn({ subjects }, 'the database did not know of erasures: they were made again')
}

/** Keeps the database's WAL beside its backups while the platform runs, where it is said where those are. */
export function keepWal({ backup }: Config, url: string, logger: Logger): { stop(): Promise<void> } {
  if (backup.dir === undefined) return { stop: async () => {} }
  return followWal({ url, directory: backup.dir, clock: systemClock, report: (report) => tell(report, logger) })
}

function tell(report: WalReport, logger: Logger): void {
  switch (report.kind) {
    case 'following':
      logger.info({ from: report.from }, 'the WAL is kept')
      break
    case 'gap':
      logger.error({ from: report.from, to: report.to }, 'WAL was lost before it was kept: take a new backup')
      break
    case 'fault':
      logger.error({ reason: reasonOf(report.error) }, 'the WAL is not kept at the moment; it is tried again')
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error ? error.name : 'unknown'
}
