import { createHash } from 'node:crypto'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { HttpFetch } from '#kernel/fetch'
import { type Random, seededRandom } from '#kernel/random'
import { simulatedDatabase } from './database.ts'
import type { Disk } from './disk.ts'
import { EPOCH_MS, type Machine } from './machine.ts'
import type { Network } from './network.ts'

/** All that a simulated process is given of the world. */
export type Seams = {
  readonly name: string
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly fetch: HttpFetch
  /** The spool directory, as this process has it open. */
  openFiles(): ReturnType<Disk['openFiles']>
}

/** One life of a process. When it dies its promises never settle again, and the next life has another name. */
export class SimulatedProcess {
  readonly owner: string
  readonly machine: Machine
  readonly seams: Seams
  /** Whether faults are for it: an owner's or an operator's process has none. */
  readonly isMortal: boolean
  isDead = false
  isFrozen = false
  clockSkewMs = 0

  constructor(owner: string, seed: string, machine: Machine, network: Network, isMortal = true) {
    this.owner = owner
    this.isMortal = isMortal
    this.machine = machine
    this.seams = {
      name: owner,
      database: simulatedDatabase(this),
      clock: this.#clock(),
      random: seededRandom(createHash('sha256').update(`${seed}/${owner}`).digest().readBigUInt64LE()),
      fetch: (request) => network.call(this, request),
      openFiles: () => machine.disk.openFiles(this),
    }
  }

  nowMs(): number {
    return EPOCH_MS + Math.floor(this.machine.scheduler.nowMs) + this.clockSkewMs
  }

  async crash(): Promise<void> {
    this.isDead = true
    this.machine.scheduler.dropAll(this.owner)
    await this.machine.loseAll(this)
  }

  freeze(): void {
    this.isFrozen = true
    this.machine.scheduler.pause(this.owner)
  }

  thaw(): void {
    this.isFrozen = false
    this.machine.scheduler.resume(this.owner)
  }

  #clock(): Clock {
    const { scheduler } = this.machine
    return {
      now: () => this.nowMs(),
      monotonicMs: () => scheduler.nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          const wake = (): void => {
            scheduler.drop(task)
            signal?.removeEventListener('abort', wake)
            resolve()
          }
          const dueMs = scheduler.nowMs + Math.max(0, ms)
          const task = scheduler.add({ owner: this.owner, label: `wake after ${Math.ceil(ms)}`, dueMs, run: wake })
          signal?.addEventListener('abort', wake, { once: true })
        }),
    }
  }
}
