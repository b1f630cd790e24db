import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findPlace, secretFile } from './cluster.ts'
import { explainError, StartFailure } from './failure.ts'
import { findPostmaster } from './postmaster.ts'

/**
 * The address of the server that somebody runs on this data directory; undefined where nobody does. Looks
 * only: makes nothing, takes no lock. @throws StartFailure where there is no cluster at all.
 */
export function findRunning(wanted: string): string | undefined {
  if (!hasCluster(wanted)) throw noData(wanted)
  const { dataDir } = findPlace(wanted)
  const found = findPostmaster(dataDir)
  if (!found?.isReady) return undefined
  try {
    const password = readFileSync(secretFile(dataDir), 'utf8').trim()
    return `postgres://postgres:${password}@127.0.0.1:${found.port}/postgres`
  } catch (error) {
    throw explainError(error, secretFile(dataDir))
  }
}

/** Whether PostgreSQL has ever been set up on this data directory. Looks only. */
export function hasCluster(wanted: string): boolean {
  return existsSync(dirname(wanted)) && existsSync(join(findPlace(wanted).dataDir, 'PG_VERSION'))
}

function noData(wanted: string): StartFailure {
  return new StartFailure(
    `There is no data in ${wanted} yet: run \`millrace start\` first, or set MILLRACE_DATA_DIR or DATABASE_URL.`,
  )
}
