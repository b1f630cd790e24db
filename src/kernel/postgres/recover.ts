import { existsSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Binaries, prepareBinaries } from './binaries.ts'
import { findPlace, give, keepSecret, makeClosed, type Place, restoringDir, writeSecret } from './cluster.ts'
import { explainError, StartFailure } from './failure.ts'
import { launch } from './launch.ts'
import { findPostmaster, socketOf, stopPostmaster } from './postmaster.ts'
import { settingArguments } from './settings.ts'
import { withDirectory } from './start.ts'

export type Recovery = {
  /** Where the data is to be; nothing may be there yet. */
  readonly dataDir: string
  /** PostgreSQL's major version that the copy is of. */
  readonly major: string
  /** Puts the copy, and the WAL to play on it, into the directory. What it makes there is to be handed to `give`. */
  readonly fill: (directory: string, give: (path: string) => void) => Promise<void>
  /** Settings of the recovery, as in `{ recovery_target_time: '…' }`. */
  readonly settings: Readonly<Record<string, string>>
  /** Replays of much WAL take their time. */
  readonly readyMsMax: number
  /** What has to be done before anybody else can connect. Given the superuser's new password, which is in its file. */
  readonly work: (server: { port: number; socket: string; password: string }) => Promise<void>
  readonly onLog: (text: string) => void
}

/** Not in the data directory: the path of a socket may have 107 bytes. */
const SOCKETS = join(tmpdir(), 'millrace-restore-')

/**
 * Makes a data directory out of a copy of another: fills one beside the final name, lets PostgreSQL recover it behind
 * a socket that nobody else reaches, has the work done, and gives it its name at the very end. Killed at any point,
 * there is no data directory, and the next call clears away what is left.
 */
export async function recoverCluster(recovery: Recovery): Promise<{ dataDir: string }> {
  try {
    const place = findPlace(recovery.dataDir)
    await withDirectory(place.dataDir, async () => {
      refuseExisting(place.dataDir)
      await recover(place, recovery)
    })
    return { dataDir: place.dataDir }
  } catch (error) {
    throw explainError(error, recovery.dataDir)
  }
}

function refuseExisting(dataDir: string): void {
  if (!existsSync(dataDir)) return
  if (findPostmaster(dataDir))
    throw new StartFailure(`A server runs on ${dataDir}: stop it, and move the directory away.`)
  if (readdirSync(dataDir).length > 0)
    throw new StartFailure(`${dataDir} is not empty: move it away first, or restore to another directory with --to.`)
}

async function recover(place: Place, recovery: Recovery): Promise<void> {
  const binaries = prepareBinaries(place.identity, dirname(place.dataDir))
  if (binaries.major !== recovery.major)
    throw new StartFailure(
      `This is a copy of PostgreSQL ${recovery.major}, and what comes along here is ${binaries.major}: restore with the version of Millrace that made it.`,
    )
  const directory = restoringDir(place.dataDir)
  await clear(directory)
  makeClosed(directory, place.identity)
  try {
    await recovery.fill(directory, (path) => give(path, place.identity))
    await serve({ dataDir: directory, identity: place.identity }, place.dataDir, binaries, recovery)
    if (existsSync(place.dataDir)) rmdirSync(place.dataDir)
    renameSync(directory, place.dataDir)
  } finally {
    await clear(directory)
  }
}

async function serve(
  place: Place,
  finalDir: string,
  binaries: Binaries,
  { settings, readyMsMax, work, onLog }: Recovery,
): Promise<void> {
  const socket = mkdtempSync(SOCKETS)
  give(socket, place.identity)
  const files = closedFiles(socket, place)
  const own = {
    listen_addresses: '',
    unix_socket_directories: socket,
    hot_standby: 'off', // Nobody reads before the end, and limits of the copied server need not be kept.
    max_connections: '20',
    config_file: files.config,
    hba_file: files.access,
    ...settings,
  }
  const program = binaries.path('postgres')
  try {
    const server = await launch({ place, program, settings: settingArguments(own), port: undefined, onLog, readyMsMax })
    try {
      const password = writeSecret(finalDir, place.identity)
      await work({ port: server.port, socket, password })
      keepSecret(finalDir)
    } finally {
      await stopPostmaster(server.pid, place.dataDir, 'fast')
    }
  } finally {
    rmSync(socket, { recursive: true, force: true })
  }
}

/** In a directory that only PostgreSQL's user enters, nobody is asked for a password: it is in a file we do not have. */
function closedFiles(socket: string, { identity }: Place): { config: string; access: string } {
  const write = (name: string, text: string): string => {
    const path = join(socket, name)
    writeFileSync(path, text, { mode: 0o600 })
    give(path, identity)
    return path
  }
  return { config: write('postgresql.conf', ''), access: write('pg_hba.conf', 'local all all trust\n') }
}

/** What an earlier restore left that was killed, its server with it. */
async function clear(directory: string): Promise<void> {
  const found = findPostmaster(directory)
  const socket = found && socketOf(directory)
  if (found) await stopPostmaster(found.pid, directory, 'immediate')
  if (socket?.startsWith(SOCKETS)) rmSync(socket, { recursive: true, force: true })
  rmSync(directory, { recursive: true, force: true })
}
