import { join } from 'node:path'
import { createDiskGuard, freeBytesOf } from '#http'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import type { MasterKey } from '#kernel/master-key'
import { StartFailure } from '#kernel/postgres/start'
import { systemRandom } from '#kernel/random'
import type { Logger } from '#kernel/telemetry'
import { inWorker, openSpool, type Spool, type SpoolReport } from '#spool'

export function spoolDirectory({ spool, dataDir }: Pick<Config, 'spool' | 'dataDir'>): string {
  return spool.dir ?? join(dataDir, 'spool')
}

/** The platform's spool. @throws StartFailure, one line, for a directory that cannot be used. */
export async function openPlatformSpool(about: {
  readonly directory: string
  readonly process: string
  readonly masterKey: MasterKey
  readonly logger: Logger
}): Promise<Spool> {
  const { directory, logger, ...who } = about
  const disk = createDiskGuard({ clock: systemClock, freeBytes: () => freeBytesOf(directory) })
  try {
    return await openSpool({
      ...who,
      ...(await inWorker(directory)),
      random: systemRandom,
      clock: systemClock,
      isFull: () => disk.isLow(),
      report: (report) => tell(report, logger),
    })
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new StartFailure(
      `The spool directory ${directory} cannot be used: let this user read and write there, or set MILLRACE_SPOOL_DIR.`,
      { cause: error },
    )
  }
}

function tell(report: SpoolReport, logger: Logger): void {
  switch (report.kind) {
    case 'corrupt':
      logger.error({ file: report.file, rows: report.rows }, 'rows of the spool were set aside: look at them')
      break
    case 'adopted':
      logger.warn({ file: report.file, events: report.events }, 'a process that ended left events in the spool')
      break
    case 'fault':
      logger.error({ err: report.error }, 'the spool cannot be written')
  }
}
