import type { RunningApp } from '#app'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { type Lag, lagOfGroups } from '#log'
import type { Spool } from '#spool'

/** Payments that wait for longer than this are better sent elsewhere. */
const LAG_SECONDS_MAX = 60
/** A probe that hangs tells nobody anything. */
const DEADLINE_MS = 2_000

export type Readiness = {
  /** Why this process should get no traffic now; empty when it may. */
  readonly reasons: readonly string[]
  /** Age of the oldest event that some group has not read yet; null with the database away. */
  readonly lagSeconds: number | null
}

export type ReadinessPorts = {
  readonly database: Database
  readonly running: RunningApp
  readonly clock: Clock
  readonly spool: Pick<Spool, 'isOpen'> | undefined
}

export async function readinessOf({ database, running, clock, spool }: ReadinessPorts): Promise<Readiness> {
  const halted = running.log.loops.filter((loop) => loop.status() === 'halted')
  const lag = await lagInTime(database, clock)
  // With the database away requests are still taken, as long as there is somewhere to keep them.
  const isAccepting = lag !== undefined || (await spool?.isOpen()) === true
  return {
    reasons: [
      ...halted.map(({ group }) => `group ${group} has halted: look at its parked events`),
      ...(isAccepting ? [] : ['the database is away']),
      ...(lag ?? []).filter(isBehind).map(behind),
    ],
    lagSeconds: lag === undefined ? null : Math.max(0, ...lag.map(({ seconds }) => seconds)),
  }
}

/** Undefined with the database away. */
async function lagInTime(database: Database, clock: Clock): Promise<Lag[] | undefined> {
  const answered = new AbortController()
  const late = clock.sleep(DEADLINE_MS, answered.signal).then(() => undefined)
  const first = await Promise.race([lagOfGroups(database).catch(() => undefined), late])
  answered.abort()
  return first
}

function isBehind({ seconds }: Lag): boolean {
  return seconds > LAG_SECONDS_MAX
}

function behind({ group, events, seconds }: Lag): string {
  return `group ${group} is ${events} events and ${Math.round(seconds)} s behind`
}
