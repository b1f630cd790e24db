import type { Config } from '#kernel/config'
import type { Database } from '#kernel/database'
import type { HttpFetch } from '#kernel/fetch'
import type { Module } from '#log'

/**
 * `ok` is as it should be. A `warning` heals by itself or can become a problem. A `problem` is losing something, stands
 * still, or will: somebody has to do something.
 */
export type Level = 'ok' | 'warning' | 'problem'

export type Finding = {
  readonly level: Level
  readonly says: string
  /** What to do; the page of the runbook says more. */
  readonly todo?: string
}

/** One thing to look at. It changes nothing; what it throws is told as a problem of its own. */
export type Check<About> = {
  readonly name: string
  look(about: About): Promise<readonly Finding[]>
}

/** What can be looked at whatever runs. */
export type Machine = {
  readonly config: Config
  readonly nodeVersion: string
  readonly fetch: HttpFetch
  /** Unix milliseconds. */
  now(): number
}

/** With a database that answers, and holds a Millrace. */
export type Installation = Machine & {
  readonly database: Database
  readonly modules: readonly Module[]
  readonly url: string
}

export const ok = (says: string): Finding => ({ level: 'ok', says })
export const warning = (says: string, todo?: string): Finding => finding('warning', says, todo)
export const problem = (says: string, todo?: string): Finding => finding('problem', says, todo)

/** The bad news, or the good. */
export function orElse(findings: readonly Finding[], good: string): readonly Finding[] {
  return findings.length > 0 ? findings : [ok(good)]
}

/** As in `3 keys`, `1 key`. */
export function count(n: number | bigint, one: string, many = `${one}s`): string {
  return `${n} ${BigInt(n) === 1n ? one : many}`
}

/** As in `40 s`, `12 min`, `3 h`, `9 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}

export function bytesOf(bytes: number): string {
  return bytes < 10 * 1024 ** 3 ? `${Math.round(bytes / 1024 ** 2)} MB` : `${Math.round(bytes / 1024 ** 3)} GB`
}

function finding(level: Level, says: string, todo: string | undefined): Finding {
  return todo === undefined ? { level, says } : { level, says, todo }
}
