import { batched } from '#kernel/batched'
import type { Clock } from '#kernel/clock'
import { createDigest } from '#kernel/digest'
import { Refusal, UsageError } from '#kernel/errors'
import type { MasterKey } from '#kernel/master-key'
import type { Random } from '#kernel/random'
import type { LogDoor } from '#log'
import type { OpenedFile } from './files.ts'
import type { OpenFiles } from './in-worker.ts'
import { createRowBoxes, type Spooled } from './row-box.ts'
import {
  add,
  discount,
  emptyFile,
  keysOf,
  readNext,
  type SpoolFile,
  surveyFile,
  type WaitingRow,
} from './spool-file.ts'

export type Prepared = ReturnType<LogDoor['prepare']>

export type SpoolStatus = {
  /** That wait to be drained. */
  readonly events: number
  readonly bytes: number
  /** When the oldest of them was accepted, or a little earlier, in Unix milliseconds; null when none waits. */
  readonly oldestAt: number | null
  readonly oldestSeconds: number
  /** Rows that were set aside because they could not be read, or were refused by the log; for a person to look at. */
  readonly corrupt: number
  /** By this process since its start. */
  readonly spooled: number
  readonly drained: number
  readonly refused: number
}

/** What somebody has to know of a spool. */
export type SpoolReport =
  | { readonly kind: 'corrupt'; readonly file: string; readonly rows: number }
  | { readonly kind: 'adopted'; readonly file: string; readonly events: number }
  | { readonly kind: 'fault'; readonly error: unknown }

export type SpoolOptions = OpenFiles & {
  /** Of this life of this process: no two have the same. */
  readonly process: string
  readonly masterKey: MasterKey
  readonly random: Random
  readonly clock: Clock
  /** Whether so little space is left on its disk that nothing more may be written. */
  isFull(): Promise<boolean>
  report(report: SpoolReport): void
}

export type Spool = {
  /**
   * Resolves when it is on the disk. What a key has to wait for is known from the moment of the call on.
   * @throws Refusal `disk_full` or `log_unavailable`: nothing of it is kept.
   */
  append(prepared: Prepared): Promise<void>
  /** Whether something of the key waits, or is just being written. */
  holds(key: string): boolean
  /** What was accepted first under the key, while that waits; with when. */
  first(key: string): Promise<Spooled | undefined>
  /** Whether it would take something now. */
  isOpen(): Promise<boolean>
  status(): SpoolStatus
  /** Takes over what processes that have ended left. */
  adopt(): Promise<void>
  /**
   * Hands over what has waited longest, in order; `done` takes the rows up to one away, `setAside` keeps one for a
   * person. Undefined when nothing waits.
   */
  next(): Promise<Batch | undefined>
  close(): Promise<void>
}

export type Batch = {
  readonly rows: readonly WaitingRow[]
  done(rows: readonly WaitingRow[]): Promise<void>
  setAside(row: WaitingRow): Promise<void>
}

/** So many may wait: their keys are kept in memory, some 130 MB of them at the most. */
export const SPOOLED_EVENTS_MAX = 1_000_000
/** Rows that one sync of the disk carries. */
const GROUP_ROWS_MAX = 256
const RETRY_SECONDS = 10

/** Opens the spool of a directory and takes over what is left in it. @throws UsageError for another's master key. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { files, masterKey, random, clock, report } = options
  const boxes = createRowBoxes(masterKey, random)
  const answer = createDigest(masterKey)('spool-check')
  const own = emptyFile(await files.create(options.process, answer))
  /** In the order in which they are drained: what others left is older than what is ours. */
  let all: SpoolFile[] = [own]
  const total = { spooled: 0, drained: 0, refused: 0 }
  const eventsWaiting = (): number => all.reduce((sum, { events }) => sum + events, 0)

  const write = batched(GROUP_ROWS_MAX, async (group: readonly Spooled[]) => {
    const rows = group.map((spooled, place) => boxes.seal(spooled, { file: own.name, sequence: own.last + 1 + place }))
    await files.append(own.name, rows)
    own.last += rows.length
    return rows
  })

  const refusalNow = async (): Promise<Refusal | undefined> => {
    if (await options.isFull()) return new Refusal('disk_full', { retryAfterSeconds: RETRY_SECONDS })
    if (eventsWaiting() < SPOOLED_EVENTS_MAX) return undefined
    return new Refusal('log_unavailable', { retryAfterSeconds: RETRY_SECONDS })
  }

  const keep = async (spooled: Spooled, keys: readonly string[]): Promise<void> => {
    const refusal = await refusalNow()
    if (refusal) throw refusal
    const { sequence, box } = await write(spooled)
    own.keys.place(keys, sequence)
    add(own, { ...spooled, bytes: box.length })
    total.spooled += spooled.prepared.events.length
  }

  const hasRows = async (name: string): Promise<boolean> =>
    (await files.read(name, 0, { rows: 1, bytes: 1 })).length > 0

  const close = async (): Promise<void> => {
    for (const { name } of all) await files.release(name)
    await options.close()
  }

  const adopt = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const opened of await files.adopt()) {
      try {
        await adoptOne(opened)
      } catch (error) {
        // The others are no less ours for it.
        failures.push(error)
        await files.release(opened.name)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  const adoptOne = async (opened: OpenedFile): Promise<void> => {
    const isStrange = opened.answer !== '' && opened.answer !== answer
    if (isStrange && (await hasRows(opened.name))) throw strangeKey(opened.name)
    const file = await surveyFile(opened, files, boxes)
    if (file.corrupt > 0) report({ kind: 'corrupt', file: file.name, rows: file.corrupt })
    if (file.events > 0) report({ kind: 'adopted', file: file.name, events: file.events })
    if (file.events + file.corrupt === 0) await files.release(file.name)
    else all = [...all.slice(0, -1), file, own]
  }

  const next = async (): Promise<Batch | undefined> => {
    for (const file of all.filter(({ events }) => events > 0)) {
      const before = file.corrupt
      const rows = await readNext(file, files, boxes)
      if (file.corrupt > before) report({ kind: 'corrupt', file: file.name, rows: file.corrupt - before })
      if (rows.length > 0) return batchOf(file, rows)
      // All that was counted and cannot be read is set aside by now.
      file.events = 0
      file.bytes = 0
    }
    return undefined
  }

  const batchOf = (file: SpoolFile, rows: readonly WaitingRow[]): Batch => ({
    rows,
    async done(handed) {
      const last = handed.at(-1)
      if (!last) return
      await files.remove(file.name, last.sequence)
      for (const row of handed) {
        discount(file, row)
        total.drained += row.prepared.events.length
      }
      await releaseDrained(file)
    },
    async setAside(row) {
      await files.setAside(file.name, [row.sequence], 'refused')
      discount(file, row)
      file.corrupt += 1
      report({ kind: 'corrupt', file: file.name, rows: 1 })
    },
  })

  const releaseDrained = async (file: SpoolFile): Promise<void> => {
    if (file === own || file.events > 0 || file.corrupt > 0) return
    all = all.filter((one) => one !== file)
    await files.release(file.name)
  }

  await adopt().catch(async (error) => {
    await close()
    throw error
  })
  return {
    async append(prepared) {
      const spooled = { at: clock.now(), prepared }
      const keys = keysOf(spooled)
      own.keys.begin(keys)
      try {
        await keep(spooled, keys)
      } catch (error) {
        own.keys.end(keys)
        total.refused += 1
        if (error instanceof Refusal) throw error
        report({ kind: 'fault', error })
        throw new Refusal('log_unavailable', { retryAfterSeconds: RETRY_SECONDS })
      }
    },
    holds: (key) => all.some(({ keys }) => keys.has(key)),
    async first(key) {
      for (const { name, keys } of all) {
        const sequence = keys.first(key)
        const [row] = sequence === undefined ? [] : await files.read(name, sequence - 1, { rows: 1, bytes: 1 })
        if (row && row.sequence === sequence) return boxes.open(row, name)
      }
      return undefined
    },
    async isOpen() {
      // Asked of the files too: a thread that has ended takes nothing.
      const isThere = await files.asides(own.name).then(
        () => true,
        () => false,
      )
      return isThere && (await refusalNow()) === undefined
    },
    status() {
      const waiting = all.filter(({ events }) => events > 0)
      const oldestAt = waiting.reduce<number | null>((oldest, file) => earlier(oldest, file.oldestAt), null)
      return {
        events: eventsWaiting(),
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
        oldestAt,
        oldestSeconds: oldestAt === null ? 0 : Math.max(0, clock.now() - oldestAt) / 1_000,
        corrupt: all.reduce((sum, { corrupt }) => sum + corrupt, 0),
        ...total,
      }
    },
    adopt,
    next,
    close,
  }
}

function earlier(one: number | null, other: number | undefined): number | null {
  if (other === undefined) return one
  return one === null ? other : Math.min(one, other)
}

function strangeKey(file: string): UsageError {
  return new UsageError(
    `The spool file ${file} was written under another master key; restore that key, or move the file out of the spool directory.`,
  )
}
