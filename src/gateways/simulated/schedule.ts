import type { Clock } from '#kernel/clock'

/** What is to happen later, each thing once, in the order in which it is due. */
export type Schedule = {
  /** False where too much is waiting: the work is not taken. */
  at(dueMs: number, work: () => void): boolean
  /** Does what is due by now. */
  runDue(): void
  /** When the next thing is due; undefined where nothing is waiting. */
  nextMs(): number | undefined
  waiting(): number
  /** Forgets what is waiting. Resolves when nothing will happen any more. */
  stop(): Promise<void>
}

type Entry = { readonly dueMs: number; readonly place: number; readonly work: () => void }

const waitingMax = 200_000
/** Timers of Node cannot be set for longer than 24 days. */
const sleepMsMax = 60 * 60 * 1000

/** Times are of `clock.now()`, which may be set forward: call `runDue` then. */
export function createSchedule(clock: Clock): Schedule {
  const heap: Entry[] = []
  let place = 0
  let sleeping = new AbortController()
  let isStopped = false

  const runDue = (): void => {
    for (let first = heap[0]; first !== undefined && first.dueMs <= clock.now(); first = heap[0]) {
      pop(heap)
      first.work()
    }
  }
  let running: Promise<void> | undefined
  const loop = async (): Promise<void> => {
    // Never in the middle of what schedules: work begins when that is over.
    await null
    while (!isStopped) {
      runDue()
      const [first] = heap
      if (first === undefined) break
      sleeping = new AbortController()
      await clock.sleep(Math.min(first.dueMs - clock.now(), sleepMsMax), sleeping.signal)
    }
    running = undefined
  }

  return {
    at(dueMs, work) {
      if (isStopped || heap.length >= waitingMax) return false
      place += 1
      push(heap, { dueMs, place, work })
      if (heap[0]?.work === work) sleeping.abort()
      running ??= loop()
      return true
    },
    runDue,
    nextMs: () => heap[0]?.dueMs,
    waiting: () => heap.length,
    async stop() {
      isStopped = true
      heap.length = 0
      sleeping.abort()
      await running
    },
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.place < other.place)
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || !isBefore(entry, parent)) break
    heap[at] = parent
    at = above
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]]
    if (left === undefined) break
    const isRight = right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (!isBefore(child, last)) break
    heap[at] = child
    at = 2 * at + (isRight ? 2 : 1)
  }
  heap[at] = last
}
