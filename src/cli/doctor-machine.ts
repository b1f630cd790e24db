import { existsSync } from 'node:fs'
import { access, constants, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '#kernel/config'
import { loadMasterKey } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import { bytesOf, type Check, type Finding, type Machine, ok, orElse, problem, warning } from './doctor-check.ts'
import { spoolDirectory } from './spool-directory.ts'

const NODE_MAJOR = 26
/** Below it the door answers `disk_full`. */
const DISK_FULL_BYTES = 256 * 1024 ** 2
/** A busy hour of the log, and time to do something about it. */
const DISK_LOW_BYTES = 5 * 1024 ** 3
const ANSWER_MS = 3_000

const node: Check<Machine> = {
  name: 'node',
  async look({ nodeVersion }) {
    const isNew = Number(nodeVersion.split('.', 1)[0]) >= NODE_MAJOR
    if (isNew) return [ok(`Node ${nodeVersion}`)]
    return [problem(`Node ${nodeVersion} is too old`, `install Node ${NODE_MAJOR} or later`)]
  },
}

const dataDirectory: Check<Machine> = {
  name: 'data directory',
  async look({ config: { dataDir } }) {
    if (!existsSync(dataDir)) return [warning(`${dataDir} is not there yet`, '`millrace start` makes it')]
    const { mode } = await stat(dataDir)
    const isWritable = await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    )
    const findings = [
      ...(isWritable
        ? []
        : [problem(`this user may not write in ${dataDir}`, 'run it as the user who owns it, or change its owner')]),
      ...((mode & 0o022) === 0
        ? []
        : [problem(`others may write in ${dataDir}, where the master key is`, `run: chmod go-w ${dataDir}`)]),
    ]
    return orElse(findings, dataDir)
  },
}

/** As `statfs(2)` names them (linux/magic.h): what forgets with the power, and what is elsewhere. */
const inMemory: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])
const elsewhere: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x65735546, 'FUSE'],
])

const disk: Check<Machine> = {
  name: 'disk',
  async look({ config }) {
    const findings = await Promise.all(directoriesOf(config).filter(existsSync).map(diskOf))
    return findings.flat()
  },
}

function directoriesOf(config: Config): string[] {
  const { dataDir, archive, backup } = config
  return [...new Set([dataDir, spoolDirectory(config), archive.dir, backup.dir].filter((path) => path !== undefined))]
}

async function diskOf(path: string): Promise<readonly Finding[]> {
  const { type, bavail, bsize, blocks } = await statfs(path)
  const free = bavail * bsize
  const [memory, network] = [inMemory.get(type), elsewhere.get(type)]
  const room = `${bytesOf(free)} free of ${bytesOf(blocks * bsize)}`
  return orElse(
    [
      ...(memory ? [problem(`${path} lies in memory (${memory}), which forgets`, 'use a directory on a disk')] : []),
      ...(network
        ? [warning(`${path} lies on ${network}`, 'be sure that it keeps what was synced; better a disk')]
        : []),
      ...(free < DISK_FULL_BYTES ? [problem(`${path}: ${room}; payments are refused`, 'free some space')] : []),
      ...(free >= DISK_FULL_BYTES && free < DISK_LOW_BYTES ? [warning(`${path}: ${room}`, 'free some space')] : []),
    ],
    `${path}: ${room}`,
  )
}

const masterKey: Check<Machine> = {
  name: 'master key',
  async look({ config: { dataDir } }) {
    const path = join(dataDir, 'master.key')
    // Loading it would make it: then nothing that was sealed before could be opened by what lies there.
    if (!existsSync(path)) {
      return existsSync(dataDir)
        ? [problem(`there is no ${path}`, 'put it back from its backup; without it nothing sealed opens')]
        : [warning('there is none yet', '`millrace start` makes it')]
    }
    await loadMasterKey(path, systemRandom)
    return [ok(`${path}, readable by its owner alone`)]
  },
}

/** The only one who knows that a group has halted is its process. */
const platform: Check<Machine> = {
  name: 'process',
  async look({ config: { host, port }, fetch }) {
    const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
    const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}/readyz`
    const answer = await fetch({ method: 'GET', url, headers: {}, timeoutMs: ANSWER_MS }).catch(() => undefined)
    if (!answer) return [warning(`nobody answers at ${url}`, 'if it should run here, start it and read its log')]
    if (answer.status === 200) return [ok(`ready at ${url}`)]
    const reasons = reasonsIn(answer.body)
    if (!reasons) return [warning(`${url} answers ${answer.status}, and is no Millrace`, 'see who listens there')]
    return reasons.map((reason) => problem(`not ready: ${reason}`, 'see docs/runbook.md'))
  },
}

function reasonsIn(body: string): string[] | undefined {
  try {
    const { reasons } = JSON.parse(body)
    return Array.isArray(reasons) ? reasons.map(String) : undefined
  } catch {
    return undefined
  }
}

/** What is looked at whether or not a database answers. */
export const machineChecks: readonly Check<Machine>[] = [node, dataDirectory, disk, masterKey, platform]
