import { heldLong } from '#gateways'
import { lagOfGroups, versionsRead } from '#log'
import {
  type Check,
  count,
  duration,
  type Finding,
  type Installation,
  ok,
  orElse,
  problem,
  warning,
} from './doctor-check.ts'
import * as sql from './doctor-sql.ts'

const LAG_WARN_SECONDS = 10
/** As `/readyz` has it. */
const LAG_WRONG_SECONDS = 60
/** A request is taken up within a fraction of a second by a group that runs. */
const REQUEST_SECONDS_MAX = 10
const VERIFIED_SECONDS_MAX = 8 * 86_400

const processes: Check<Installation> = {
  name: 'processes',
  async look({ database }) {
    const living = await sql.livingProcesses(database)
    if (living > 0) return [ok(`${count(living, 'process', 'processes')} on this database`)]
    return [warning('no process works on this database', 'start one: accepted payments wait for it')]
  },
}

const leases: Check<Installation> = {
  name: 'leases',
  async look({ database }) {
    const orphans = await sql.orphanedPartitions(database)
    return orElse(
      orphans.map(({ group, partitions }) =>
        warning(
          `${group}: nobody works on ${count(partitions, 'partition')}, though processes live`,
          'look again in five seconds; if it stays, restart the process that was started last',
        ),
      ),
      'every partition has its process',
    )
  },
}

const lag: Check<Installation> = {
  name: 'lag',
  async look({ database }) {
    const groups = await lagOfGroups(database)
    const behind = groups.filter(({ seconds, events }) => events > 0n && seconds > LAG_WARN_SECONDS)
    return orElse(
      behind.map(({ group, events, seconds }) => {
        const says = `${group} is ${count(events, 'event')} and ${duration(seconds)} behind`
        const todo = 'see whether its process runs, and what its log says of the group'
        return seconds > LAG_WRONG_SECONDS ? problem(says, todo) : warning(says, todo)
      }),
      `${count(groups.length, 'group')}, none behind`,
    )
  },
}

const parked: Check<Installation> = {
  name: 'parked',
  async look({ database }) {
    const findings = (await sql.parkedKeys(database)).flatMap(({ group, keys, seconds, ...asked }) => [
      problem(
        `${group}: ${count(keys, 'key')} parked, for up to ${duration(seconds)}`,
        `millrace parked list ${group}`,
      ),
      ...((asked.requested_seconds ?? 0) > REQUEST_SECONDS_MAX
        ? [
            problem(
              `${group}: a retry was asked for ${duration(asked.requested_seconds ?? 0)} ago, and nobody does it`,
              'the group has halted or runs nowhere: repair the cause, then restart its process',
            ),
          ]
        : []),
    ])
    return orElse(findings, 'nothing is parked')
  },
}

const newer: Check<Installation> = {
  name: 'newer events',
  async look({ database, modules }) {
    const known = versionsRead(modules)
    const stopped = (await sql.nextUnread(database)).filter(({ group, type, version }) => {
      const read = known.get(group)?.get(type)
      return read !== undefined && version > read
    })
    return orElse(
      stopped.map(({ group, partition, type, version }) =>
        problem(
          `${group}/${partition} waits before ${type} of version ${version}, which this version does not know`,
          'finish the upgrade: start the newer version; nothing is lost',
        ),
      ),
      'no partition waits for an upgrade',
    )
  },
}

const timers: Check<Installation> = {
  name: 'timers',
  async look({ database }) {
    const { timers: overdue, seconds } = await sql.overdueTimers(database)
    if (overdue === 0) return [ok('none is overdue')]
    const says = `${count(overdue, 'timer')} should have fired, the first ${duration(seconds ?? 0)} ago`
    return [problem(says, 'see whether a process runs, and its log for log.timers')]
  },
}

const deliveries: Check<Installation> = {
  name: 'deliveries',
  async look({ database }) {
    const destinations = await sql.troubledDestinations(database)
    return orElse(destinations.flatMap(troubleOf), 'none is held, failing or waiting')
  },
}

function troubleOf({ destination, held, failing, waiting, seconds }: sql.Destination): Finding[] {
  const keys = (n: number): string => count(n, 'key')
  return [
    ...(held > 0
      ? [
          problem(
            `${destination}: calls for ${keys(held)} are held for a person`,
            'see docs/runbook.md: a call is held',
          ),
        ]
      : []),
    ...(failing > 0
      ? [warning(`${destination}: calls for ${keys(failing)} fail, since ${duration(seconds ?? 0)}`, 'see who runs it')]
      : []),
    ...(waiting > 0
      ? [
          problem(
            `${destination}: calls for ${keys(waiting)} wait, and nobody makes them`,
            'see whether a process runs',
          ),
        ]
      : []),
  ]
}

const endpoints: Check<Installation> = {
  name: 'webhook endpoints',
  async look({ database }) {
    return orElse(
      (await sql.troubledEndpoints(database)).map(({ id, status, reason, seconds }) =>
        status === 'disabled'
          ? warning(`${id} was disabled (${reason}) ${duration(seconds)} ago`, 'its owner enables it, and replays')
          : warning(
              `${id} has been failing for ${duration(seconds)}`,
              'tell its owner; after five days it is disabled',
            ),
      ),
      'none is failing',
    )
  },
}

const held: Check<Installation> = {
  name: 'gateway events',
  async look({ database }) {
    const events = await heldLong(database)
    if (events === 0n) return [ok('none waits for its payment for over an hour')]
    const says = `${count(events, 'event')} of gateways wait for their payment for over an hour`
    return [problem(says, 'a webhook of the gateway is missing: have it sent again')]
  },
}

const verified: Check<Installation> = {
  name: 'verify',
  async look({ database }) {
    const last = await sql.lastVerification(database)
    if (!last) return [warning('the books have never been checked', 'run `millrace verify`, and do so every day')]
    const says = `${count(last.entries, 'entry', 'entries')} checked ${duration(last.seconds)} ago`
    if (last.findings > 0) return [problem(`${count(last.findings, 'finding')} in ${says}`, 'run `millrace verify`')]
    return [last.seconds > VERIFIED_SECONDS_MAX ? warning(says, 'run `millrace verify`') : ok(says)]
  },
}

export const logChecks: readonly Check<Installation>[] = [
  processes,
  leases,
  lag,
  parked,
  newer,
  timers,
  deliveries,
  endpoints,
  held,
  verified,
]
