import { dirname } from 'node:path'
import { systemClock } from '#kernel/clock'
import { type Binaries, prepareBinaries } from './binaries.ts'
import { ensureCluster, findPlace, type Place, restoringDir } from './cluster.ts'
import { explainError, StartFailure } from './failure.ts'
import { launch } from './launch.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'
import { answers, findPostmaster, type Postmaster, type StopMode, startedWith, stopPostmaster } from './postmaster.ts'
import { settingArguments } from './settings.ts'

export { StartFailure } from './failure.ts'

export type PostgresOptions = {
  dataDir: string
  /** Settings of PostgreSQL beside ours, as in `{ fsync: 'off' }`. */
  settings?: Readonly<Record<string, string>>
  /** A free one is taken where none is given. */
  port?: number
  /** What the server writes about itself. A server adopted from a killed process has lost its listener. */
  onLog?: (text: string) => void
}

export type EmbeddedPostgres = {
  url: string
  port: number
  pid: number
  /** Whether the server was found running, left by a process that was killed or started by this one. */
  adopted: boolean
  /** Where the data is: not where it was asked for when root asked for a place closed to `runAs`. */
  dataDir: string
  runAs: string
  stop(mode?: StopMode): Promise<void>
}

const WAIT_MS = 20
const SILENT_MS_MAX = 30_000

/** The data directories that this process has locked. */
const locks = new Map<string, DirectoryLock>()

/**
 * Makes the data directory if needed, starts PostgreSQL on it and returns when it takes connections. What a person
 * can put right rejects with a StartFailure of one line. Safe to repeat: a server left by a killed process is adopted.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  try {
    const place = findPlace(options.dataDir)
    const binaries = prepareBinaries(place.identity, dirname(place.dataDir))
    return await holding(place.dataDir, () => serve(place, binaries, options))
  } catch (error) {
    throw explainError(error, options.dataDir)
  }
}

/** Tells the servers that this process holds to end at once, and waits for none: it is about to end itself. */
export function stopHeldServers(): void {
  for (const held of locks.keys()) {
    for (const dataDir of [held, restoringDir(held)]) {
      const found = findPostmaster(dataDir)
      if (found) void stopPostmaster(found.pid, dataDir, 'immediate')
    }
  }
}

/** Keeps the directory's lock for as long as the work takes. @throws StartFailure while another process has it. */
export async function withDirectory<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await holding(dataDir, work)
  } finally {
    release(dataDir)
  }
}

/** Keeps the directory's lock as long as the server is ours, and lets go of it when there is none. */
async function holding<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  if (locks.has(dataDir)) return work()
  locks.set(dataDir, await lockDirectory(dataDir))
  try {
    return await work()
  } catch (error) {
    release(dataDir)
    throw error
  }
}

function release(dataDir: string): void {
  locks.get(dataDir)?.release()
  locks.delete(dataDir)
}

async function serve(place: Place, binaries: Binaries, options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, identity } = place
  const password = await ensureCluster(place, binaries, options.settings?.fsync !== 'off')
  const settings = settingArguments(options.settings)
  const orphan = await settledPostmaster(dataDir)
  const isAdopted = orphan !== undefined && isAsWanted(orphan, dataDir, settings, options.port)
  if (orphan && !isAdopted) await stopPostmaster(orphan.pid, dataDir, 'fast')

  const { port, onLog = () => {} } = options
  const program = binaries.path('postgres')
  const server = isAdopted ? orphan : await launch({ place, program, settings, port, onLog })
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
    port: server.port,
    pid: server.pid,
    adopted: isAdopted,
    dataDir,
    runAs: identity.name,
    async stop(mode = 'fast') {
      await stopPostmaster(server.pid, dataDir, mode)
      release(dataDir)
    },
  }
}

/** The server found on the directory once it is neither starting nor stopping nor dying. @throws StartFailure */
async function settledPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  let silentUntil: number | undefined
  for (;;) {
    const found = findPostmaster(dataDir)
    if (!found || (found.isReady && (await answers(found)))) return found
    if (found.isReady) silentUntil ??= systemClock.monotonicMs() + SILENT_MS_MAX
    if (systemClock.monotonicMs() > (silentUntil ?? Number.POSITIVE_INFINITY)) throw silent(found, dataDir)
    await systemClock.sleep(WAIT_MS)
  }
}

function silent({ pid }: Postmaster, dataDir: string): StartFailure {
  return new StartFailure(
    `PostgreSQL in ${dataDir} runs (process ${pid}) and does not answer: end it, and start again.`,
  )
}

function isAsWanted(found: Postmaster, dataDir: string, settings: string[], port: number | undefined): boolean {
  const wanted = ['-D', dataDir, '-p', String(port ?? found.port), ...settings]
  return startedWith(dataDir).join('\n') === wanted.join('\n')
}
