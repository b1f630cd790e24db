import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Binaries } from './binaries.ts'
import { explainOutput, StartFailure } from './failure.ts'
import { canEnter, clusterIdentity, type Identity, isRoot, newClusterIdentity, spawnAs } from './identity.ts'

/** A data directory that its user can reach, by its canonical path, made or still to be made. */
export type Place = { dataDir: string; identity: Identity }

/** Where a root's data goes whose own directory is closed to the user that PostgreSQL runs as. */
const SHARED_PARENT = '/var/lib/millrace'

export function findPlace(wanted: string): Place {
  const asked = inParent(dirname(resolve(wanted)), basename(wanted))
  const place = { dataDir: asked, identity: identityFor(asked) }
  if (!isRoot() || canEnter(place.identity, dirname(asked))) return place

  const dataDir = inParent(SHARED_PARENT, asked.slice(1).replaceAll('/', '_'))
  return { dataDir, identity: identityFor(dataDir) }
}

/** Makes the cluster if there is none, and returns the password of its superuser. Needs the directory's lock. */
export async function ensureCluster(place: Place, binaries: Binaries, isSynced: boolean): Promise<string> {
  const { dataDir } = place
  const versionFile = join(dataDir, 'PG_VERSION')
  if (!existsSync(versionFile)) return createCluster(place, binaries, isSynced)

  const made = readFileSync(versionFile, 'utf8').trim()
  if (made !== binaries.major)
    throw new StartFailure(
      `${dataDir} was made by PostgreSQL ${made} and this is ${binaries.major}: ` +
        'export with the version of Millrace that made it and import here, or choose another directory.',
    )
  if (!existsSync(secretFile(dataDir)))
    throw new StartFailure(
      `The password file ${secretFile(dataDir)} is missing: put it back, or choose another directory.`,
    )
  return readFileSync(secretFile(dataDir), 'utf8').trim()
}

/**
 * initdb works beside the final name, and the password is there before the directory is: killed at any point, the
 * next start finds either no cluster or a whole one.
 */
async function createCluster({ dataDir, identity }: Place, binaries: Binaries, isSynced: boolean): Promise<string> {
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new StartFailure(`${dataDir} holds something else than a database: empty it, or choose another directory.`)
  const password = writeSecret(dataDir, identity)
  const partial = `${dataDir}.new`
  rmSync(partial, { recursive: true, force: true })
  makeClosed(partial, identity)
  try {
    await initialize(partial, secretFile(dataDir), binaries, identity, isSynced)
    keepSecret(dataDir)
    renameSync(partial, dataDir)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
  return password
}

async function initialize(
  directory: string,
  passwordFile: string,
  binaries: Binaries,
  identity: Identity,
  isSynced: boolean,
): Promise<void> {
  const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'] // The same order everywhere.
  const access = ['-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile]
  const rest = ['-E', 'UTF8', '--no-instructions', ...(isSynced ? [] : ['--no-sync'])]
  try {
    const options = ['-D', directory, ...access, ...locale, ...rest]
    await promisify(execFile)(binaries.path('initdb'), options, spawnAs(identity))
  } catch (error) {
    throw explainOutput(error instanceof Error ? error.message : String(error), dirname(directory))
  }
}

/** Outside the data directory, so that a copy of the data is not a copy of the key to it. */
export const secretFile = (dataDir: string): string => `${dataDir}.secret`

/** Where a restore works until it is whole. */
export const restoringDir = (dataDir: string): string => `${dataDir}.restoring`

export function makeClosed(directory: string, identity: Identity): void {
  mkdirSync(directory, { mode: 0o700 })
  give(directory, identity)
}

/** A new password for the cluster's superuser, in its file. */
export function writeSecret(dataDir: string, identity: Identity): string {
  const password = randomBytes(24).toString('base64url')
  rmSync(secretFile(dataDir), { force: true })
  writeFileSync(secretFile(dataDir), `${password}\n`, { mode: 0o600 })
  give(secretFile(dataDir), identity) // initdb reads it; afterwards it is root's again.
  return password
}

/** Whoever runs PostgreSQL needs the password no more. */
export function keepSecret(dataDir: string): void {
  if (isRoot()) chownSync(secretFile(dataDir), 0, 0)
}

export function give(path: string, identity: Identity): void {
  if (isRoot()) chownSync(path, identity.uid, identity.gid)
}

function identityFor(dataDir: string): Identity {
  const isMade = existsSync(join(dataDir, 'PG_VERSION'))
  return isMade ? clusterIdentity(dataDir, statSync(dataDir)) : newClusterIdentity()
}

/** The path without symbolic links, as PostgreSQL will report it; its user can pass through the parents we make. */
function inParent(parent: string, name: string): string {
  const made = mkdirSync(parent, { recursive: true })
  if (made && isRoot()) openFrom(made, parent)
  return join(realpathSync(parent), name)
}

/** Whatever the umask was, others may enter the directories from `first` down to `last`, and not list them. */
function openFrom(first: string, last: string): void {
  chmodSync(last, 0o711)
  if (last !== first) openFrom(first, dirname(last))
}
