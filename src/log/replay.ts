import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import { nearest } from '#kernel/nearest'
import type { Random } from '#kernel/random'
import { ArchiveDamaged } from './archive/segment-file.ts'
import { decode } from './codec.ts'
import { describeFailure, sqlStateOf } from './failure.ts'
import type { History } from './history.ts'
import { groupOf, type Module } from './module.ts'
import { PARTITIONS } from './partitioner.ts'
import { distance, nothingYet, type Point, type Portion, pointOf, portions, type Reached } from './rebuild.ts'
import { type Difference, differences } from './replay/compare.ts'
import { createCopies, onCopies } from './replay/copy.ts'
import { emptySecond, fetchCopies } from './replay/second.ts'
import { analyzeCopy, checkpointsOf, eachPage, lockCheckpoints, type Table } from './replay/sql.ts'
import { describeTables } from './replay/tables.ts'
import { consumersOf } from './runtime.ts'
import * as sql from './sql.ts'
import type { Consumer } from './step.ts'
import { putInPlace, recordSwap, type SwappedTable } from './swap.ts'

export type ReplayOptions = {
  readonly modules: readonly Module[]
  /** By its group, as in `ledger.balances`. */
  readonly projection: string
  /** Of one session, which it keeps: the rebuilt rows live and die with it. */
  readonly live: Database
  readonly history: History
  /** Rebuilds into the tables of this database, which has the schemas of all modules and nothing else. */
  readonly second?: Database
  /** Folds only what it lets pass: for looking. */
  readonly isWanted?: (event: sql.EventRow) => boolean
  readonly clock: Clock
  readonly random: Random
  readonly progress?: (progress: ReplayProgress) => void
}

/** Events read so far, how many in a second, and how many are left for now. */
export type ReplayProgress = { readonly events: number; readonly perSecond: number; readonly toGo: number }
export type Compared = { readonly events: number; readonly rows: bigint; readonly differing: number }
export type Swapped = { readonly events: number; readonly tables: readonly SwappedTable[] }

/** Why a rebuild does not come to its end. Nothing was changed. */
export class ReplayFailure extends Error {
  override name = 'ReplayFailure'
}

/** So little behind the live one that the rest fits into the transaction that compares or swaps. */
const CLOSE = 1_000
const CATCH_UPS_MAX = 20
/** A batch of the live one holds its checkpoints for some milliseconds; longer than this, others would wait behind us. */
const SWAP_LOCK_MS = 300
const SWAP_PATIENCE_MS = 15_000

/**
 * Begins to rebuild a projection from the log, beside the live one, which goes on.
 * @throws UsageError when there is no such projection, or it cannot be rebuilt.
 */
export async function openReplay(options: ReplayOptions): Promise<Replay> {
  const { live, second } = options
  const { consumer, tables: names } = find(options.modules, options.projection)
  const { group, role, topics } = consumer
  const tables = await describeTables(live, group, names)
  if ((await checkpointsOf(live, group)).length === 0) {
    throw new UsageError(`${group} has not run here yet: start Millrace once.`)
  }
  await createCopies(live, tables, role)
  if (second) {
    await emptySecond(second, { group, tables })
    for (const topic of topics) await sql.createTopic(second, topic, PARTITIONS)
    await sql.registerGroup(second, { name: group, topics, partitions: PARTITIONS, from: 'beginning' })
  }
  return new Replay(options, consumer, tables)
}

export class Replay {
  readonly #options: ReplayOptions
  readonly #consumer: Consumer
  readonly #tables: readonly Table[]
  readonly #startedMs: number
  #reached: Reached
  /** As it was last told. */
  progress: ReplayProgress = { events: 0, perSecond: 0, toGo: 0 }

  constructor(options: ReplayOptions, consumer: Consumer, tables: readonly Table[]) {
    this.#options = options
    this.#consumer = consumer
    this.#tables = tables
    this.#startedMs = options.clock.monotonicMs()
    this.#reached = nothingYet(consumer.topics)
  }

  /** Rebuilds until it is close behind the live one, or stopped. */
  async catchUp(stopped?: AbortSignal): Promise<void> {
    const { live } = this.#options
    for (let turn = 0; turn < CATCH_UPS_MAX && !stopped?.aborted; turn++) {
      const point = await pointOf(live, this.#consumer, await checkpointsOf(live, this.#consumer.group))
      if (turn > 0 && distance(this.#reached, point) <= CLOSE) return
      await this.#advance(point, stopped)
    }
  }

  /**
   * Tells every row that differs, with both at the same offsets: the live one as it stands in one snapshot, which nothing
   * waits for.
   */
  async compare(tell: (difference: Difference) => void): Promise<Compared> {
    const { live, second, isWanted } = this.#options
    const { group, role } = this.#consumer
    invariant(!isWanted, 'what is compared with the live rows is rebuilt from all events')
    const [compared, reached] = await live.transaction(
      { readOnly: true, isSnapshot: true, timeoutMs: 0 },
      async (tx) => {
        const point = await pointOf(tx, this.#consumer, await checkpointsOf(tx, group))
        if (second) await this.#advance(point)
        await tx.become(role)
        if (second) await fetchCopies(tx, second, this.#tables)
        const reached = second ? this.#reached : await this.#foldRest(tx, point)
        await tx.become(NOBODY)
        return [await differences(tx, this.#tables, tell), reached] as const
      },
    )
    this.#reached = reached
    return { events: reached.events, ...compared }
  }

  /**
   * Puts the rebuilt rows in the place of the live ones, in one transaction under the locks of the group's checkpoints:
   * readers see the old rows or the new ones, and what arrives meanwhile is folded behind it. `by` goes on record.
   */
  async swap(by: string): Promise<Swapped> {
    const { clock, random, isWanted, second } = this.#options
    invariant(!isWanted && !second, 'what takes the place of the live rows is rebuilt beside them, from all events')
    const deadlineMs = clock.monotonicMs() + SWAP_PATIENCE_MS
    while (clock.monotonicMs() < deadlineMs) {
      await this.catchUp()
      try {
        return await this.#swapNow(by)
      } catch (error) {
        if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error
      }
      await clock.sleep(50 + 200 * random.unit())
    }
    throw new ReplayFailure(
      `${this.#consumer.group} was never free for ${SWAP_LOCK_MS} ms: it is as it was. Try again.`,
    )
  }

  /** Every rebuilt row, as JSON. */
  async rows(tell: (table: string, row: string) => void): Promise<void> {
    await this.#options.live.transaction({ readOnly: true, timeoutMs: 0 }, async (tx) => {
      for (const { name, copy, key } of this.#tables) {
        await eachPage(tx, copy, key, (rows) => {
          for (const row of rows) tell(name, row)
        })
      }
    })
  }

  async #swapNow(by: string): Promise<Swapped> {
    const { live, random } = this.#options
    const { group, role } = this.#consumer
    const [swapped, reached] = await live.transaction({ lockTimeoutMs: SWAP_LOCK_MS, timeoutMs: 0 }, async (tx) => {
      // Frozen here, we are cut off: the live projection stands still for as long.
      await tx.script(`set local idle_in_transaction_session_timeout = '5s'`)
      const checkpoints = await lockCheckpoints(tx, group)
      const point = await pointOf(tx, this.#consumer, checkpoints)
      await tx.become(role)
      const reached = await this.#foldRest(tx, point)
      await tx.become(NOBODY)
      for (const table of this.#tables) await tx.script(analyzeCopy(table))
      await tx.become(role)
      const swapped = { events: reached.events, tables: await putInPlace(tx, this.#tables) }
      await recordSwap(tx, random, { group, by, checkpoints, ...swapped })
      return [swapped, reached] as const
    })
    this.#reached = reached
    return swapped
  }

  /** A transaction a portion: what is done stays done in the copies. */
  async #advance(point: Point, stopped?: AbortSignal): Promise<void> {
    const { clock, progress } = this.#options
    for await (const { rows, reached } of this.#portions(point)) {
      await this.#fold(rows, reached).catch((error: unknown) => this.#blame(error, rows))
      this.#reached = reached
      const { events } = reached
      const perSecond = Math.round((1_000 * events) / (clock.monotonicMs() - this.#startedMs))
      this.progress = { events, perSecond, toGo: distance(reached, point) }
      progress?.(this.progress)
      if (stopped?.aborted) return
    }
  }

  async #fold(rows: readonly sql.EventRow[], reached: Reached): Promise<void> {
    const { second } = this.#options
    const { group, role, topics } = this.#consumer
    if (second) {
      await second.transaction({ role, timeoutMs: 0 }, async (tx) => {
        await this.#handle(rows, tx)
        await sql.advance(tx, group, progressOf(topics, reached))
      })
    } else if (rows.length > 0) {
      await this.#foldOnCopies(rows)
    }
  }

  async #foldOnCopies(rows: readonly sql.EventRow[]): Promise<void> {
    const { role } = this.#consumer
    // Read-only: the temporary tables are all that it can write, whatever its statements say.
    const failed = await this.#options.live.transaction({ role, readOnly: true, timeoutMs: 0 }, async (tx) => {
      try {
        await this.#handle(rows, onCopies(tx, this.#tables))
        return undefined
      } catch (error) {
        // By us: for an error that is none of PostgreSQL's the session would be ended, and the copies with it.
        await tx.script('rollback')
        return { error }
      }
    })
    if (failed) throw failed.error
  }

  /** What is left up to a point, in the transaction that ends there. */
  async #foldRest(tx: Tx, point: Point): Promise<Reached> {
    let last = this.#reached
    for await (const { rows, reached } of this.#portions(point)) {
      await this.#handle(rows, onCopies(tx, this.#tables))
      last = reached
    }
    return last
  }

  async *#portions(point: Point): AsyncGenerator<Portion> {
    try {
      yield* portions(this.#consumer, this.#options.history, this.#reached, point)
    } catch (error) {
      if (!(error instanceof ArchiveDamaged)) throw error
      throw new ReplayFailure(`${error.message}. See: millrace archive verify`, { cause: error })
    }
  }

  async #handle(rows: readonly sql.EventRow[], tx: Tx): Promise<void> {
    const { isWanted = () => true } = this.#options
    const events = rows.filter(isWanted).map((row) => {
      const of = this.#consumer.types.get(row.type)
      if (!of || row.version > of.version)
        throw new ReplayFailure(`${placeOf(row)} is of a newer version than this code knows.`)
      return decode(row, of)
    })
    if (events.length > 0) await this.#consumer.handle(events, tx, 0)
  }

  /** Says which event it was, by folding them one by one; or what is wrong with the fold itself. */
  async #blame(error: unknown, rows: readonly sql.EventRow[]): Promise<never> {
    if (error instanceof ReplayFailure) throw error
    const { group } = this.#consumer
    const state = sqlStateOf(error)
    if (state === READ_ONLY)
      throw new ReplayFailure(`${group} writes to a table that it does not declare.`, { cause: error })
    if (state === UNDEFINED_TABLE)
      throw new ReplayFailure('The database ended our session, and what was rebuilt went with it.', { cause: error })
    for (const row of rows) {
      await this.#fold([row], this.#reached).catch((cause: unknown) => {
        throw new ReplayFailure(`${group} cannot fold ${row.type} at ${placeOf(row)}: ${describeFailure(cause)}`, {
          cause,
        })
      })
    }
    throw error
  }
}

/** The session's own user again. */
const NOBODY = 'none'
const LOCK_NOT_AVAILABLE = '55P03'
const READ_ONLY = '25006'
const UNDEFINED_TABLE = '42P01'

function find(modules: readonly Module[], name: string) {
  const all = modules.flatMap((module) => {
    const consumers = new Map(consumersOf(module).map((consumer) => [consumer.group, consumer]))
    return (module.projections ?? []).flatMap(({ name: own, tables }) => {
      const consumer = consumers.get(groupOf(module.name, own))
      return consumer ? [{ consumer, tables }] : []
    })
  })
  const found = all.find(({ consumer }) => consumer.group === name)
  if (found) return found
  const names = all.map(({ consumer }) => consumer.group)
  const near = nearest(name, names)
  const hint = near === undefined ? `The projections are: ${names.join(', ')}.` : `Did you mean ${near}?`
  throw new UsageError(`No projection has the name ${name}. ${hint}`)
}

function progressOf(topics: readonly string[], { offsets }: Reached): sql.Progress[] {
  return topics.flatMap((topic, at) =>
    Array.from({ length: PARTITIONS }, (_, partition) => {
      return { topic, partition, nextOffset: BigInt(offsets[at * PARTITIONS + partition] ?? 0) }
    }),
  )
}

function placeOf({ topic, partition, offset }: sql.EventRow): string {
  return `${topic}/${partition}@${offset}`
}
