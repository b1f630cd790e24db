import { Disk } from './disk.ts'
import type { SimulatedProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'
import type { Answer, Session, Sessions } from './sessions.ts'

/** The instant at which every schedule begins. */
export const EPOCH_MS = Date.UTC(2026, 0, 15, 12)
/** What PostgreSQL is told in production (kernel/postgres-database), played by virtual time. */
const LOCK_TIMEOUT_MS = 2_000
const IDLE_TIMEOUT_MS = 1_000

/** A schedule ended in a way that no fault excuses. */
export class SimulationFailure extends Error {
  override name = 'SimulationFailure'
}

/** A transaction's or statement's hold on a session; the session goes when the connection is lost. */
export type Connection = {
  readonly process: SimulatedProcess
  /** For one statement in a transaction of its own. */
  readonly isAlone: boolean
  session: Session | undefined
  isLost: boolean
  isInTransaction: boolean
  idleSinceMs: number
}

type Waiter = {
  readonly connection: Connection
  readonly sinceMs: number
  readonly timeoutMs: number
  readonly label: string
  settle(answer: Answer): void
}

/** A statement that PostgreSQL gave up, as the client sees it. */
export class ServerError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** The connection broke: whether the statement was executed nobody knows. */
export class ConnectionLost extends Error {
  override name = 'DatabaseFault'

  constructor() {
    super('the connection to PostgreSQL was lost')
  }
}

/** What the processes of a world share: the server, its clock, who waits for whom, and who listens. */
export class Machine {
  readonly scheduler: Scheduler
  readonly sessions: Sessions
  readonly disk = new Disk()
  readonly faults: string[] = []
  /** What the next statement meets, if anything. */
  cut: 'before' | 'after' | undefined
  databaseSkewMs = 0
  /** Until then the server answers no process. */
  awayUntilMs = 0
  /** Whether all faults are over. */
  isCalm = false
  /** Sees what deliverers are about to try. */
  begun: (owner: string, rows: readonly { destination: string }[]) => Promise<void> = async () => {}
  #hasLetGo = false
  readonly #connections = new Set<Connection>()
  readonly #waiters = new Map<Session, Waiter>()
  readonly #listeners = new Set<{ process: SimulatedProcess; channel: string; heard(payload: string): void }>()

  constructor(scheduler: Scheduler, sessions: Sessions) {
    this.scheduler = scheduler
    this.sessions = sessions
  }

  databaseNow(): string {
    return new Date(EPOCH_MS + Math.floor(this.scheduler.nowMs) + this.databaseSkewMs).toISOString()
  }

  fault(kind: string, about = ''): void {
    this.faults.push(kind)
    this.scheduler.note(`FAULT ${kind} ${about}`)
  }

  takeCut(): 'before' | 'after' | undefined {
    const cut = this.cut
    this.cut = undefined
    return cut
  }

  connect(process: SimulatedProcess, isAlone: boolean): Connection {
    const { nowMs } = this.scheduler
    const connection = {
      process,
      isAlone,
      session: undefined,
      isLost: false,
      isInTransaction: false,
      idleSinceMs: nowMs,
    }
    this.#connections.add(connection)
    return connection
  }

  /** The connection's session, opened with its first statement; undefined once it is lost. */
  async sessionOf(connection: Connection): Promise<Session | undefined> {
    if (!connection.isLost) connection.session ??= await this.sessions.borrow(connection.isAlone)
    return connection.session
  }

  disconnect(connection: Connection): void {
    if (connection.session) this.sessions.giveBack(connection.session, connection.isAlone)
    connection.session = undefined
    this.#connections.delete(connection)
  }

  /** The server ends the session: rolls back and lets go of its locks. */
  async lose(connection: Connection): Promise<void> {
    const { session } = connection
    connection.session = undefined
    connection.isLost = true
    connection.isInTransaction = false
    this.#connections.delete(connection)
    if (!session) return
    const waiter = this.#waiters.get(session)
    this.#waiters.delete(session)
    await this.sessions.abandon(session)
    this.letGo()
    // Whoever waited for a lock is told as well, unless it is gone itself.
    if (waiter && !connection.process.isDead) this.#answerLater(waiter, { error: new ConnectionLost() })
  }

  /** Whether the server is away for whoever has this connection: an owner's or operator's never is. */
  isAwayFor({ process }: Connection): boolean {
    return process.isMortal && this.scheduler.nowMs < this.awayUntilMs
  }

  async loseSessions(process: SimulatedProcess): Promise<void> {
    for (const connection of this.#connections) if (connection.process === process) await this.lose(connection)
  }

  /** All that a process that has died had of the server. */
  async loseAll(process: SimulatedProcess): Promise<void> {
    await this.loseSessions(process)
    for (const listener of this.#listeners) if (listener.process === process) this.#listeners.delete(listener)
  }

  /** A statement waits for a lock: the others go on, unless nobody ever could. */
  async wait(waiter: Waiter): Promise<void> {
    const { session } = waiter.connection
    if (!session) return
    this.#waiters.set(session, waiter)
    const blockers = await this.sessions.blockers()
    if (isCyclic(session.pid, blockers)) {
      throw new SimulationFailure(`deadlock: ${waiter.connection.process.owner} ${waiter.label}`)
    }
    // Two that wait for one holder would go on together when it ends, and which is first no seed decides.
    const own = new Set(blockers.get(session.pid))
    const rivals = [...blockers].filter(
      ([pid, others]) => pid !== session.pid && others.some((other) => own.has(other)),
    )
    if (rivals.length > 0) await this.#giveUp(session, waiter)
  }

  /** Hands on the answers of statements that have got their locks. Asked for only when somebody may have let go of one. */
  async resumeReleased(): Promise<void> {
    if (!this.#hasLetGo) return
    this.#hasLetGo = false
    for (const { session, answer } of await this.sessions.released()) {
      const waiter = this.#waiters.get(session)
      if (!waiter) continue
      this.#waiters.delete(session)
      this.#answerLater(waiter, answer)
      if (waiter.connection.isAlone || 'error' in answer) this.#hasLetGo = true
    }
  }

  /** A transaction has ended: locks were let go of. */
  letGo(): void {
    this.#hasLetGo = true
  }

  /** Time has passed: the server gives up waits that are too long and clients that are too quiet. */
  async enforceTimeouts(): Promise<void> {
    const { nowMs } = this.scheduler
    for (const [session, waiter] of this.#waiters) {
      if (nowMs - waiter.sinceMs > waiter.timeoutMs) await this.#giveUp(session, waiter)
    }
    for (const connection of this.#connections) {
      const { session, isInTransaction, idleSinceMs } = connection
      if (!session || !isInTransaction || this.#waiters.has(session) || nowMs - idleSinceMs <= IDLE_TIMEOUT_MS) continue
      this.fault('idle_timeout', connection.process.owner)
      await this.lose(connection)
    }
  }

  listen(process: SimulatedProcess, channel: string, heard: (payload: string) => void): () => void {
    const listener = { process, channel, heard }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A NOTIFY travels to every listener by itself, and may be lost. */
  notify(channel: string, payload: string): void {
    for (const listener of this.#listeners) {
      if (listener.channel !== channel || this.scheduler.chance(0.1)) continue
      const { owner } = listener.process
      const dueMs = this.scheduler.nowMs + 20 * this.scheduler.below(3)
      this.scheduler.add({ owner, label: 'notification', dueMs, run: () => listener.heard(payload) })
    }
  }

  static lockTimeoutMs(wanted: number | undefined): number {
    return wanted ?? LOCK_TIMEOUT_MS
  }

  async #giveUp(session: Session, waiter: Waiter): Promise<void> {
    this.#waiters.delete(session)
    await this.sessions.cancel(session)
    this.letGo()
    this.scheduler.note(`lock timeout of ${waiter.connection.process.owner} ${waiter.label}`)
    this.#answerLater(waiter, { error: new ServerError('55P03', 'canceling statement due to lock timeout') })
  }

  #answerLater({ connection, label, settle }: Waiter, answer: Answer): void {
    const { owner } = connection.process
    connection.idleSinceMs = this.scheduler.nowMs
    const run = (): void => settle(answer)
    this.scheduler.add({ owner, label: `${label} went on`, dueMs: this.scheduler.nowMs, run })
  }
}

function isCyclic(start: number, blockers: ReadonlyMap<number, readonly number[]>): boolean {
  const seen = new Set<number>()
  const reaches = (pid: number): boolean =>
    (blockers.get(pid) ?? []).some((next) => next === start || (!seen.has(next) && seen.add(next) && reaches(next)))
  return reaches(start)
}
