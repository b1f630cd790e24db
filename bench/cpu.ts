import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks of /proc/PID/stat are a hundredth of a second on every Linux that Node runs on. */
const TICK_US = 10_000

/** CPU used so far, in microseconds, by a PostgreSQL server: the postmaster, its children, and those that have ended. */
export function postgresCpuUs(postmaster: number): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, pid) => sum + ticksOf(Number(pid), postmaster) * TICK_US, 0)
}

function ticksOf(pid: number, postmaster: number): number {
  const fields = statOf(pid)
  const isServer = pid === postmaster
  if (!fields || !(isServer || fields.parent === postmaster)) return 0
  return fields.user + fields.system + (isServer ? fields.ended : 0)
}

function statOf(pid: number) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [parent = 0, user = 0, system = 0, endedUser = 0, endedSystem = 0] = [1, 11, 12, 13, 14].map(
      (at) => fields[at],
    )
    return { parent, user, system, ended: endedUser + endedSystem }
  } catch {
    return undefined // It ended between the listing and the look.
  }
}

/** CPU of this process so far, in microseconds. */
export function nodeCpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
