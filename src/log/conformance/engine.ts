import type { LogOptions, Module, NewEvent } from '#log'

export type Report = Parameters<LogOptions['report']>[0]

/** What must be done with a log to find out whether it keeps its promises. An engine brings one of these. */
export type Engine = {
  /** A new, empty log, gone when the test ends. */
  open(t: Ending): Promise<LogUnderTest>
}

/** What of a TestContext is needed here. */
export type Ending = { after(work: () => Promise<void>): void }

export type LogUnderTest = {
  /** Through the door: resolves when the events are on the log. */
  append(events: readonly NewEvent[]): Promise<void>
  /** In a transaction that dawdles between the append and its commit. */
  appendSlowly(events: readonly NewEvent[], dawdle: () => Promise<void>): Promise<void>
  start(name: string, about: StartOptions): Promise<ProcessUnderTest>
  /** What the handlers of a group have seen, in the order in which it took effect. */
  seen(group: string): Promise<Seen[]>
  /** What is parked, by group, in order. */
  parked(): Promise<Parked[]>
  retry(group: string, key: string): Promise<void>
  /** Keys that somebody asked to retry and nobody has yet. */
  retriesOpen(): Promise<number>
  /** How many events stand on a topic that the group has not passed. */
  lag(group: string): Promise<number>
  /** Moves the clock of the log and of every process. */
  stepClock(byMs: number): void
  now(): number
  /** One that has half of the group's partitions and, once it asks, stops reading in the middle of the answer. */
  stuckReader(group: string): Promise<{ readonly partitions: readonly number[]; ask(): void }>
}

export type StartOptions = { readonly modules: readonly Module[] }

export type ProcessUnderTest = {
  readonly reports: readonly Report[]
  /** Points between two statements passed so far. */
  points(): number
  /** Its connections break, or it dies, at the n-th point from here. */
  arm(fault: { readonly at: number; readonly kind: 'cut' | 'die' }): void
  isDead(): boolean
  stop(): Promise<void>
  /** Without a farewell. When `isNoticed`, the others need not wait for its leases to run out. */
  kill(about?: { isNoticed: boolean }): Promise<void>
  /** It stands still, whatever it was at; its sessions stay open. */
  freeze(): void
  thaw(): void
}

export type Seen = {
  readonly id: string
  readonly type: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly tenant: string
  readonly mode: string
  readonly traceparent: string
  readonly causationId: string | null
  readonly correlationId: string
  readonly data: { readonly n: number; readonly text?: string }
}

export type Parked = { readonly group: string; readonly key: string; readonly n: number; readonly error: string | null }

/** One promise of a log. */
export type Claim = { readonly name: string; holds(t: Ending, engine: Engine): Promise<void> }
