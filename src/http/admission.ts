import { isAway } from '#kernel/away'
import { Refusal } from '#kernel/errors'
import type { Logger } from '#kernel/telemetry'
import type { DiskGuard } from './disk.ts'

const DISK_RETRY_SECONDS = 10
const LOG_RETRY_SECONDS = 2

/**
 * Runs what accepts, where there is room to; and says "try again" where the database is away or its answer to a
 * commit was lost. Repeating is safe either way: ids are pure functions of the request.
 */
export function createAdmission(disk: DiskGuard, logger: Logger) {
  return async <T>(accept: () => Promise<T>): Promise<T> => {
    if (await disk.isLow()) throw new Refusal('disk_full', { retryAfterSeconds: DISK_RETRY_SECONDS })
    try {
      return await accept()
    } catch (error) {
      if (!isAway(error)) throw error
      logger.warn({ err: error }, 'the log cannot take a request')
      throw new Refusal('log_unavailable', { retryAfterSeconds: LOG_RETRY_SECONDS })
    }
  }
}
