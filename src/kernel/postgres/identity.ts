import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { StartFailure } from './failure.ts'

/** Who PostgreSQL runs as: it refuses to run as root. */
export type Identity = { name: string; uid: number; gid: number }

export const isRoot = (): boolean => process.getuid?.() === 0

/** The user a new cluster belongs to: ourselves, or when we are root somebody without privileges. */
export function newClusterIdentity(): Identity {
  if (!isRoot()) return ownIdentity()
  for (const name of ['postgres', 'nobody']) {
    const user = users().find((entry) => entry.name === name && entry.uid !== 0)
    if (user) return user
  }
  throw new StartFailure('PostgreSQL cannot run as root and there is no user `postgres` or `nobody`: set DATABASE_URL.')
}

/** An existing cluster keeps its owner: PostgreSQL refuses a data directory that belongs to anybody else. */
export function clusterIdentity(dataDir: string, owner: { uid: number; gid: number }): Identity {
  if (!isRoot()) return ownIdentity()
  if (owner.uid === 0)
    throw new StartFailure(`${dataDir} belongs to root, as whom PostgreSQL cannot run: chown -R it to another user.`)
  const name = users().find((entry) => entry.uid === owner.uid)?.name ?? `uid ${owner.uid}`
  return { name, uid: owner.uid, gid: owner.gid }
}

type SpawnAs = { uid?: number; gid?: number; cwd: string; env: NodeJS.ProcessEnv }

/** Spawn's options for a program of that user. It gets none of our environment, which may hold keys. */
export function spawnAs({ uid, gid }: Identity): SpawnAs {
  const rest = { cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } }
  return isRoot() ? { uid, gid, ...rest } : rest
}

/** Whether that user can reach a directory: every parent has to let them through, as a closed home (0700) does not. */
export function canEnter(identity: Identity, directory: string): boolean {
  return spawnSync('ls', ['-d', `${directory}/.`], { ...spawnAs(identity), stdio: 'ignore' }).status === 0
}

export function canRun(identity: Identity, program: string): boolean {
  return spawnSync(program, ['--version'], { ...spawnAs(identity), stdio: 'ignore' }).status === 0
}

function ownIdentity(): Identity {
  const { uid, gid } = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  return { name: nameOfOwnUser(uid), uid, gid }
}

function nameOfOwnUser(uid: number): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${uid}` // A container may run us under a number that has no name.
  }
}

function users(): Identity[] {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  return lines.map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
}
