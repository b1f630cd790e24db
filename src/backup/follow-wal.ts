import { join } from 'node:path'
import type { Clock } from '#kernel/clock'
import { openReplication, type Replication, type TextRow } from '#kernel/postgres/replication'
import { makeDirectory, readIfThere, writeDurably } from './durable.ts'
import { walIn } from './store.ts'
import { forksIn, historyName, positionOf, textOf } from './wal.ts'
import { clearFinished, createWalWriter, keptSegments, type WalWriter } from './wal-files.ts'

export type FollowOptions = {
  readonly url: string
  readonly directory: string
  readonly clock: Clock
  readonly report: (report: WalReport) => void
}

export type WalReport =
  /** From here on what is committed is kept within moments. */
  | { readonly kind: 'following'; readonly system: string; readonly from: string }
  /** The server has thrown away WAL that was not kept: backups from before cannot be brought past this point. */
  | { readonly kind: 'gap'; readonly from: string; readonly to: string }
  | { readonly kind: 'fault'; readonly error: unknown }

/** The server keeps for this name whatever WAL is not kept yet. */
const SLOT = 'millrace_backup'
/** Received and on disk are at most so far apart: what a power cut of both machines costs. */
const FLUSH_MS = 100
/** How often the server is told how far we are, though nothing happens. */
const STATUS_MS = 5_000
const RETRY_MS = 1_000
const RETRY_MS_MAX = 30_000

/**
 * Keeps the WAL of the database in the directory, as it is written, until stopped. Whoever comes second waits for the
 * first to go: the slot is one process's at a time.
 */
export function followWal(options: FollowOptions): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    let pauseMs = RETRY_MS
    while (!stopping.signal.aborted) {
      const startedMs = options.clock.monotonicMs()
      await followOnce(options, stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted && !isTaken(error)) options.report({ kind: 'fault', error })
      })
      pauseMs = options.clock.monotonicMs() - startedMs > RETRY_MS_MAX ? RETRY_MS : Math.min(pauseMs * 2, RETRY_MS_MAX)
      await options.clock.sleep(pauseMs, stopping.signal)
    }
  }
  const done = run()
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** Another process follows. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55006'
}

async function followOnce(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const replication = await openReplication(options.url, 'millrace wal')
  const end = (): void => replication.close()
  signal.addEventListener('abort', end)
  try {
    if (signal.aborted) return
    await follow(replication, options)
  } finally {
    signal.removeEventListener('abort', end)
    replication.close()
  }
}

async function follow(replication: Replication, { directory, clock, report }: FollowOptions): Promise<void> {
  const { system, timeline, segmentBytes } = await identify(replication)
  const own = walIn(directory, system)
  await makeDirectory(own)
  await clearFinished(own)
  await keepHistory(replication, own, timeline)
  const slot = await ensureSlot(replication)
  const kept = (await keptSegments(own, segmentBytes)).filter((segment) => segment.timeline === timeline).at(-1)
  const fork = await forkBefore(own, timeline)
  const floor = (position: bigint): bigint => position - (position % segmentBytes)
  const wanted = kept ? (kept.isWhole ? kept.number + 1n : kept.number) * segmentBytes : fork && floor(fork)
  const oldest = floor(slot)
  const from = wanted ?? oldest
  const streamFrom = (position: bigint): Promise<void> => {
    const started = (): void => report({ kind: 'following', system, from: textOf(position) })
    const writer = createWalWriter(own, { timeline, segmentBytes }, position)
    return stream(replication, writer, { from: position, timeline, clock, started })
  }
  try {
    await streamFrom(from)
  } catch (error) {
    if (!isRecycled(error) || oldest <= from) throw error
    report({ kind: 'gap', from: textOf(from), to: textOf(oldest) })
    await streamFrom(oldest)
  }
}

async function identify(replication: Replication) {
  const [[row] = []] = await replication.query('IDENTIFY_SYSTEM')
  const [[size] = []] = await replication.query('SHOW wal_segment_size')
  const [, number = '16', unit = 'MB'] = /^(\d+)([kMG]?B)$/.exec(size?.wal_segment_size ?? '') ?? []
  const bytesIn: Readonly<Record<string, bigint>> = { B: 1n, kB: 1n << 10n, MB: 1n << 20n, GB: 1n << 30n }
  const segmentBytes = BigInt(number) * (bytesIn[unit] ?? 1n)
  return { system: row?.systemid ?? '', timeline: Number(row?.timeline), segmentBytes }
}

/** How the timelines came out of each other: without it no restore gets from one to the next. */
async function keepHistory(replication: Replication, directory: string, timeline: number): Promise<void> {
  if (timeline === 1 || (await readIfThere(join(directory, historyName(timeline)))) !== undefined) return
  const [[history] = []] = await replication.query(`TIMELINE_HISTORY ${timeline}`)
  await writeDurably(join(directory, historyName(timeline)), history?.content ?? '')
}

async function forkBefore(directory: string, timeline: number): Promise<bigint | undefined> {
  return forksIn((await readIfThere(join(directory, historyName(timeline)))) ?? '').at(-1)?.end
}

/** The position from which on the server still has everything. A slot that it gave up is made anew. */
async function ensureSlot(replication: Replication): Promise<bigint> {
  const known = await readSlot(replication)
  if (known !== undefined) return known
  await replication.query(`CREATE_REPLICATION_SLOT "${SLOT}" PHYSICAL RESERVE_WAL`).catch(async (error: unknown) => {
    if (!isKnown(error)) throw error
    await replication.query(`DROP_REPLICATION_SLOT "${SLOT}"`)
    await replication.query(`CREATE_REPLICATION_SLOT "${SLOT}" PHYSICAL RESERVE_WAL`)
  })
  return (await readSlot(replication)) ?? 0n
}

async function readSlot(replication: Replication): Promise<bigint | undefined> {
  const [rows = []] = await replication.query(`READ_REPLICATION_SLOT "${SLOT}"`)
  const position: TextRow[string] | undefined = rows[0]?.restart_lsn
  return position == null ? undefined : positionOf(position)
}

function isKnown(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42710'
}

function isRecycled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '58P01'
}

type Following = {
  readonly from: bigint
  readonly timeline: number
  readonly clock: Clock
  readonly started: () => void
}

async function stream(
  replication: Replication,
  writer: WalWriter,
  { from, timeline, clock, started }: Following,
): Promise<void> {
  const ended = new AbortController()
  let isStarted = false
  let [written, flushed, flushedMs, toldMs] = [from, from, 0, 0]
  const flush = async (): Promise<void> => {
    flushed = await writer.flush()
    flushedMs = clock.monotonicMs()
  }
  const tell = (): void => {
    replication.send(statusMessage(written, flushed, clock.now()))
    toldMs = clock.monotonicMs()
  }
  let turn: Promise<void> = Promise.resolve()
  /** Writing and syncing take turns. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work)
    return turn
  }
  const receive = async (messages: readonly Buffer[]): Promise<void> => {
    if (!isStarted) started()
    isStarted = true
    let isAsked = false
    for (const message of messages) {
      const kind = String.fromCharCode(message[0] ?? 0)
      if (kind === 'k') isAsked ||= message[17] === 1
      if (kind !== 'w') continue
      const bytes = message.subarray(25)
      const at = message.readBigInt64BE(1)
      await writer.write(at, bytes)
      written = at + BigInt(bytes.length)
    }
    if (isAsked || clock.monotonicMs() - flushedMs >= FLUSH_MS) {
      await flush()
      tell()
    }
  }
  const keepTelling = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(FLUSH_MS, ended.signal)
      if (ended.signal.aborted) return
      await inTurn(async () => {
        const isBehind = flushed < written
        if (isBehind) await flush()
        if (isBehind || clock.monotonicMs() - toldMs >= STATUS_MS) tell()
      })
    }
  }
  const telling = keepTelling()
  telling.catch(() => replication.close())
  try {
    const command = `START_REPLICATION SLOT "${SLOT}" PHYSICAL ${textOf(from)} TIMELINE ${timeline}`
    await replication.copy(command, (messages) => inTurn(() => receive(messages)))
  } finally {
    ended.abort()
    await telling.catch(() => {})
    await turn.catch(() => {})
    await flush().catch(() => {})
    await writer.close()
  }
}

const EPOCH_2000_MS = 946_684_800_000

/** A standby status update: written, flushed and (nothing here) applied, the time in microseconds since 2000. */
function statusMessage(written: bigint, flushed: bigint, nowMs: number): Buffer {
  const message = Buffer.alloc(34)
  message.write('r', 'latin1')
  message.writeBigInt64BE(written, 1)
  message.writeBigInt64BE(flushed, 9)
  message.writeBigInt64BE(flushed, 17)
  message.writeBigInt64BE(BigInt(nowMs - EPOCH_2000_MS) * 1_000n, 25)
  return message
}
