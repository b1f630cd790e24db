import { createHash } from 'node:crypto'
import type { Random } from '#kernel/random'

/** Something that can go on next: a statement, a call, a sleep, an answer. It belongs to a process or to the outside. */
export type Task = {
  readonly owner: string
  readonly label: string
  /** Virtual milliseconds; not before. */
  readonly dueMs: number
  /** How readily it is chosen; the scheduler sets it. */
  readonly weight: number
  run(): Promise<void> | void
}

/** Steps kept for the report of a failure. */
const TRACE_STEPS = 80

/**
 * Owns every await of the simulated processes. Between two steps all continuations have run, so that the only choice is
 * which task goes on next, and the seed makes it.
 */
export class Scheduler {
  nowMs = 0
  steps = 0
  readonly random: Random
  readonly #tasks = new Set<Task>()
  readonly #paused = new Set<string>()
  readonly #dead = new Set<string>()
  readonly #weights = new Map<string, number>()
  readonly #hash = createHash('sha256')
  readonly #trace: string[] = []

  /** The kind of step that drags in this schedule: commits that drag hold their locks for long. */
  readonly #slow: string | undefined
  #hasty: string | undefined

  constructor(random: Random) {
    this.random = random
    this.#slow = this.chance(0.5)
      ? this.pick(['sql commit', 'sql commit', 'sql log.append', 'sql log.take', 'http'])
      : undefined
  }

  /** Whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.random.unit() * bound)
  }

  pick<T>(list: readonly [T, ...T[]]): T
  pick<T>(list: readonly T[]): T | undefined
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)]
  }

  chance(probability: number): boolean {
    return this.random.unit() < probability
  }

  /** A dead process's continuations may still run, to their next await; what they ask for is not done. */
  add(task: Omit<Task, 'weight'>): Task {
    const slowness = this.#slow !== undefined && task.label.startsWith(this.#slow) ? 0.02 : 1
    const laziness = LAZINESS[this.below(LAZINESS.length)] ?? 1
    const isHasty = this.#hasty !== undefined && task.label.startsWith(this.#hasty)
    const weight = isHasty ? HASTE : (this.#weights.get(task.owner) ?? 1) * laziness * slowness
    const weighted = { ...task, weight }
    if (!this.#dead.has(task.owner)) this.#tasks.add(weighted)
    return weighted
  }

  drop(task: Task): void {
    this.#tasks.delete(task)
  }

  /** Forgets all tasks of a process that has died. */
  dropAll(owner: string): void {
    this.#dead.add(owner)
    for (const task of this.#tasks) if (task.owner === owner) this.#tasks.delete(task)
  }

  pause(owner: string): void {
    this.#paused.add(owner)
  }

  resume(owner: string): void {
    this.#paused.delete(owner)
  }

  /** How often an owner is chosen in comparison with others: slow processes make the schedules that nobody thinks of. */
  weigh(owner: string, weight: number): void {
    this.#weights.set(owner, weight)
  }

  /** Steps of this kind go before all others from now on. */
  hasten(label: string): void {
    this.#hasty = label
  }

  get hasReady(): boolean {
    return this.#ready().length > 0
  }

  /** Takes the next task of those that may go on now, or none. */
  next(): Task | undefined {
    const ready = this.#ready()
    let left = this.random.unit() * ready.reduce((sum, { weight }) => sum + weight, 0)
    const task = ready.find(({ weight }) => {
      left -= weight
      return left < 0
    })
    const chosen = task ?? ready.at(-1)
    if (chosen) this.#tasks.delete(chosen)
    return chosen
  }

  /** The next task to come due, of those that are not yet and not paused. */
  nextDue(): Task | undefined {
    let next: Task | undefined
    for (const task of this.#tasks) {
      if (task.dueMs <= this.nowMs || this.#paused.has(task.owner)) continue
      if (next === undefined || task.dueMs < next.dueMs) next = task
    }
    return next
  }

  #ready(): Task[] {
    return [...this.#tasks].filter(({ owner, dueMs }) => dueMs <= this.nowMs && !this.#paused.has(owner))
  }

  note(line: string): void {
    this.#hash.update(line).update('\n')
    this.#trace.push(`${String(this.steps).padStart(5)} ${String(Math.round(this.nowMs)).padStart(7)}ms ${line}`)
    if (this.#trace.length > TRACE_STEPS) this.#trace.shift()
  }

  /** The last steps, for people. */
  trace(): string {
    return this.#trace.join('\n')
  }

  /** Equal for two runs that went the same way. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

/** Some tasks lie about for long while others run ahead: what is rare in the field is common here. */
const LAZINESS = [1, 1, 1, 0.1, 0.01]
const HASTE = 100

/** Lets all continuations run: what is settled has had its consequences. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
}
