import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '#kernel/clock'
import { StartFailure } from './failure.ts'

export type DirectoryLock = { release(): void }

/** A process that was killed lets go of its lock within milliseconds; one that runs does not let go. */
const WAIT_MS = 1_000

/**
 * One Millrace per data directory. The operating system holds the lock (SQLite's, on an empty file), so that it goes
 * with the process whatever killed it: who gets it and finds a server running has found an orphan.
 */
export async function lockDirectory(dataDir: string): Promise<DirectoryLock> {
  const deadline = systemClock.monotonicMs() + WAIT_MS
  for (;;) {
    const lock = tryLock(`${dataDir}.lock`)
    if (lock) return lock
    if (systemClock.monotonicMs() > deadline)
      throw new StartFailure(`${dataDir} is in use by another running Millrace: stop it, or choose another directory.`)
    await systemClock.sleep(50)
  }
}

/** The lock, or undefined while another holds it. */
function tryLock(path: string): DirectoryLock | undefined {
  const file = openLockFile(path)
  try {
    file.exec('pragma journal_mode = memory; begin exclusive') // Writes nothing, so that a full disk is no hindrance.
    return { release: () => file.close() }
  } catch (error) {
    file.close()
    if (error instanceof Error && /locked/.test(error.message)) return undefined
    throw unwritable(path, error)
  }
}

function openLockFile(path: string): DatabaseSync {
  try {
    const file = new DatabaseSync(path)
    chmodSync(path, 0o600) // Who can open it can lock it.
    return file
  } catch (error) {
    throw unwritable(path, error)
  }
}

function unwritable(path: string, cause: unknown): StartFailure {
  return new StartFailure(`${path} cannot be written: let this user write there, or choose another data directory.`, {
    cause,
  })
}
