import { createHash } from 'node:crypto'
import { seededRandom } from '#kernel/random'
import { Machine, SimulationFailure } from './machine.ts'
import { Network, type Remote } from './network.ts'
import { type Seams, SimulatedProcess } from './process.ts'
import { quiet, Scheduler, type Task } from './scheduler.ts'
import type { Sessions } from './sessions.ts'

/** A schedule longer than this hangs. */
const STEPS_MAX = 20_000
const SLOTS = ['p1', 'p2', 'p3'] as const

export type Running = { stop(): Promise<void> }

type Slot<App> = { readonly name: string; lives: number; process: SimulatedProcess; app: App | undefined }

/** What may befall a schedule at one of its steps. */
const MISHAPS = [
  'crash_before',
  'crash_after',
  'freeze',
  'cut_before',
  'cut_after',
  'clock_step',
  'database_clock_step',
  'database_away',
] as const

/** Processes, their scheduler and their faults: everything between a seed and the end of its schedule. */
export class World<App extends Running> {
  readonly scheduler: Scheduler
  readonly machine: Machine
  readonly network: Network
  readonly #seed: string
  readonly #boot: (seams: Seams) => Promise<App>
  readonly #slots: Slot<App>[]
  readonly #mishapsAt: number[]

  constructor(seed: string, sessions: Sessions, boot: (seams: Seams) => Promise<App>, remote: Remote) {
    const random = seededRandom(createHash('sha256').update(seed).digest().readBigUInt64LE())
    this.scheduler = new Scheduler(random)
    this.machine = new Machine(this.scheduler, sessions)
    this.network = new Network(this.machine, remote)
    this.#seed = seed
    // What comes in comes in bursts: batches of one are dear and find little.
    this.scheduler.weigh('outside', 8)
    this.scheduler.weigh('network', 8)
    this.#boot = boot
    this.#slots = SLOTS.slice(0, this.scheduler.chance(0.15) ? 3 : 2).map((name) => ({
      name,
      lives: 0,
      process: this.#newProcess(`${name}.0`),
      app: undefined,
    }))
    const mishaps = Array.from({ length: 4 + this.scheduler.below(4) }, () => 60 + this.scheduler.below(900))
    this.#mishapsAt = mishaps.sort((one, other) => one - other)
  }

  start(): void {
    for (const slot of this.#slots) this.#startLife(slot)
  }

  /** A process that takes requests, if one does. */
  running(): { app: App; process: SimulatedProcess } | undefined {
    const up = this.#slots.filter(({ app }) => app !== undefined)
    const slot = this.scheduler.pick(up)
    return slot?.app && { app: slot.app, process: slot.process }
  }

  /** A database connection of somebody who never fails: an operator's. */
  outsider(name: string): Seams {
    return this.#newProcess(name, false).seams
  }

  /** Work of the outside at a later time. */
  later(inMs: number, label: string, run: () => void | Promise<void>): Task {
    return this.scheduler.add({ owner: 'outside', label, dueMs: this.scheduler.nowMs + inMs, run })
  }

  sleep(ms: number, label: string): Promise<void> {
    return new Promise((resolve) => void this.later(ms, label, resolve))
  }

  /** What the promise brings, or undefined when nobody waits for it any longer. */
  within<T>(promise: Promise<T>, ms: number, label: string): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const timeout = this.later(ms, label, () => resolve(undefined))
      promise.finally(() => this.scheduler.drop(timeout)).then(resolve, reject)
    })
  }

  /** Goes on until `isOver` is true, looked at whenever nothing is left to do at this instant. */
  async runUntil(isOver: () => Promise<boolean>, jumpMs: number): Promise<void> {
    while (true) {
      if (await this.#next()) continue
      if (await isOver()) return
      await this.#passToNext(jumpMs)
    }
  }

  /** Goes on for as long as `isOn` is true, looked at before every step. */
  async runWhile(isOn: () => boolean, jumpMs: number): Promise<void> {
    while (isOn()) {
      if (!(await this.#next())) await this.#passToNext(jumpMs)
    }
  }

  /** Does one thing of those that can be done now, if there is one. */
  async #next(): Promise<boolean> {
    await quiet()
    if (this.scheduler.chance(0.005)) await this.pass(this.scheduler.below(60))
    const task = this.scheduler.next()
    if (task) await this.#step(task)
    return task !== undefined
  }

  get hasMishapsLeft(): boolean {
    return this.#mishapsAt.length > 0
  }

  /** No more faults: the frozen go on, clocks are right again, calls get through. */
  calm(): void {
    this.machine.isCalm = true
    // What comes back together is settled together: turns of one are dear and find little.
    this.scheduler.hasten('http')
    this.scheduler.weigh('outside', 1_000)
    this.machine.databaseSkewMs = 0
    this.machine.awayUntilMs = 0
    this.#mishapsAt.length = 0
    for (const { process } of this.#slots) {
      process.clockSkewMs = 0
      if (process.isFrozen) process.thaw()
    }
  }

  /** Whether more than one process takes requests. */
  get hasSeveral(): boolean {
    return this.#slots.filter(({ app }) => app !== undefined).length > 1
  }

  /** Leaves one process to do the rest; the others end as they should. One that is about to start does so. */
  async stopAllButOne(): Promise<void> {
    const [, ...rest] = this.#slots.filter(({ app }) => app !== undefined)
    await Promise.all(rest.map((slot) => this.#stop(slot)))
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#stop(slot)))
  }

  /** After the schedule, whatever became of it: nothing of it holds a session any more. */
  async end(): Promise<void> {
    for (const { process } of this.#slots) await process.crash()
    await quiet()
  }

  async #stop(slot: Slot<App>): Promise<void> {
    const { app } = slot
    slot.app = undefined
    await app?.stop()
  }

  async #step(task: Task): Promise<void> {
    const { scheduler, machine } = this
    if (++scheduler.steps > STEPS_MAX) throw new SimulationFailure(`no end after ${STEPS_MAX} steps`)
    scheduler.note(`${task.owner} ${task.label}`)
    const slot = this.#slots.find(({ process }) => process.owner === task.owner)
    // Between two statements of a transaction is where it hurts.
    const [dueAt = Number.POSITIVE_INFINITY] = this.#mishapsAt
    const isDue = dueAt <= scheduler.steps && task.label.startsWith('sql') && task.label !== 'sql begin'
    const mishap = isDue && slot ? scheduler.pick(MISHAPS) : undefined
    if (mishap) this.#mishapsAt.shift()
    if (mishap && slot) await this.#befall(mishap, slot, task)
    else await task.run()
    machine.cut = undefined
    await machine.resumeReleased()
  }

  async #befall(mishap: (typeof MISHAPS)[number], slot: Slot<App>, task: Task): Promise<void> {
    this.machine.fault(mishap, slot.process.owner)
    switch (mishap) {
      case 'crash_before':
        await this.#crash(slot)
        if (task.owner !== slot.process.owner) await task.run()
        return
      case 'crash_after':
        // It is done at the server, and the process never learns of it.
        slot.process.isDead = true
        await task.run()
        return this.#crash(slot)
      case 'freeze':
        slot.process.freeze()
        this.later(200 + this.scheduler.below(5_000), `thaw ${slot.process.owner}`, () => slot.process.thaw())
        this.scheduler.add(task)
        return
      case 'cut_before':
      case 'cut_after':
        this.machine.cut = mishap === 'cut_before' ? 'before' : 'after'
        return task.run()
      case 'clock_step':
        slot.process.clockSkewMs = this.scheduler.pick([-3_600_000, -1_000, 1_000, 3_600_000])
        return task.run()
      case 'database_clock_step':
        this.machine.databaseSkewMs = this.scheduler.pick([-5_000, -1_000, 1_000, 5_000])
        return task.run()
      case 'database_away':
        this.machine.awayUntilMs = this.scheduler.nowMs + 200 + this.scheduler.below(3_000)
        for (const { process } of this.#slots) await this.machine.loseSessions(process)
        return task.run()
    }
  }

  async #crash(slot: Slot<App>): Promise<void> {
    slot.app = undefined
    await slot.process.crash()
    this.later(100 + this.scheduler.below(1_500), `restart ${slot.name}`, () => this.#startLife(slot))
  }

  #startLife(slot: Slot<App>): void {
    slot.lives++
    const process = this.#newProcess(`${slot.name}.${slot.lives}`)
    slot.process = process
    this.scheduler.weigh(process.owner, this.scheduler.pick([1, 1, 1, 0.3, 0.05]))
    this.#boot(process.seams).then(
      (app) => {
        if (!process.isDead) slot.app = app
      },
      (error) => this.later(0, `${process.owner} did not start: ${String(error)}`, () => this.#crash(slot)),
    )
  }

  #newProcess(owner: string, isMortal = true): SimulatedProcess {
    return new SimulatedProcess(owner, this.#seed, this.machine, this.network, isMortal)
  }

  /** What comes from outside comes at its time; loops that only look again may as well look a little later. */
  async #passToNext(jumpMs: number): Promise<void> {
    const { scheduler } = this
    const next = scheduler.nextDue()
    if (next) {
      const restMs = next.dueMs - scheduler.nowMs
      const isLook = next.label.startsWith('wake')
      await this.pass(isLook ? Math.max(restMs, scheduler.below(jumpMs)) : restMs)
    } else if (!scheduler.hasReady) throw new SimulationFailure('nothing is left that could ever happen')
  }

  /** Time goes by, and the server does what it does by the clock. */
  async pass(ms: number): Promise<void> {
    this.scheduler.nowMs += ms
    await this.machine.enforceTimeouts()
    await this.machine.resumeReleased()
  }
}
