import pg from 'pg'
import type { SqlValue, Statement } from '#kernel/database'

/** A statement that has not answered by then is looked at: does it wait for a lock? */
const LOOK_AFTER_MS = 2

/** Server timeouts are off: they would fire by the machine's clock. The scheduler plays them by its own. */
const OPTIONS =
  '-c deadlock_timeout=3600000 -c TimeZone=UTC -c application_name=simulation -c jit=off -c plan_cache_mode=force_generic_plan'

export type Answer = { readonly rows: unknown[] } | { readonly error: unknown }

/** A real session of PostgreSQL, lent to one transaction at a time. */
export type Session = {
  readonly client: pg.Client
  readonly pid: number
  /** What `log.now()` says in it. */
  now: string
}

type Waiting = { readonly session: Session; readonly answer: Promise<Answer>; answered: Answer | undefined }

export type Counts = { statements: number; lockWaits: number }

/** The sessions of a world. One statement runs at a time; one that waits for a lock is set aside until it goes on. */
export class Sessions {
  readonly counts: Counts = { statements: 0, lockWaits: 0 }
  readonly #url: string
  readonly #idle: Session[] = []
  readonly #all: Session[] = []
  readonly #waiting = new Map<number, Waiting>()
  readonly admin: pg.Client

  private constructor(url: string, admin: pg.Client) {
    this.#url = url
    this.admin = admin
  }

  static async open(url: string): Promise<Sessions> {
    return new Sessions(url, await connect(url))
  }

  /** Statements alone share a few sessions, which need to be told the time less often then. */
  async borrow(isAlone: boolean): Promise<Session> {
    const idle = isAlone ? this.#idle.pop() : this.#idle.shift()
    if (idle) return idle
    const client = await connect(this.#url)
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const session = { client, pid: Number(rows[0].pid), now: '' }
    this.#all.push(session)
    return session
  }

  giveBack(session: Session, isAlone: boolean): void {
    if (isAlone) this.#idle.push(session)
    else this.#idle.unshift(session)
  }

  /** The answer, or undefined when the statement waits for a lock. */
  async send(
    session: Session,
    statement: string | Statement,
    values: readonly SqlValue[] = [],
  ): Promise<Answer | undefined> {
    this.counts.statements++
    const answer = query(session.client, statement, values)
    const waiting: Waiting = { session, answer, answered: undefined }
    void answer.then((answered) => (waiting.answered = answered))
    // A machine that is busy with other things is not made busier by looking all the time.
    for (let lookInMs = LOOK_AFTER_MS; ; lookInMs *= 2) {
      const soon = await within(answer, lookInMs)
      if (soon) return soon
      if ((await this.#blockersOf([session.pid])).get(session.pid)?.length) break
    }
    this.counts.lockWaits++
    this.#waiting.set(session.pid, waiting)
    return undefined
  }

  /** Whether somebody waits. */
  get hasWaiting(): boolean {
    return this.#waiting.size > 0
  }

  /** Who waits for whom, by process id of the server. */
  blockers(): Promise<Map<number, number[]>> {
    return this.#blockersOf([...this.#waiting.keys()])
  }

  /** The statements that waited and have gone on, in the order in which they began to wait. */
  async released(): Promise<{ session: Session; answer: Answer }[]> {
    if (!this.hasWaiting) return []
    while (true) {
      const blockers = await this.blockers()
      const going = [...this.#waiting.values()].filter(
        ({ answered, session }) => answered || !blockers.get(session.pid)?.length,
      )
      const answers = await Promise.all(going.map(({ answer }) => within(answer, LOOK_AFTER_MS)))
      if (answers.includes(undefined)) continue
      for (const { session } of going) this.#waiting.delete(session.pid)
      return going.flatMap(({ session, answered }) => (answered ? [{ session, answer: answered }] : []))
    }
  }

  isWaiting(session: Session): boolean {
    return this.#waiting.has(session.pid)
  }

  /** Ends the wait of a statement by cancelling it; its transaction is aborted. */
  async cancel(session: Session): Promise<void> {
    const waiting = this.#waiting.get(session.pid)
    if (!waiting) return
    this.#waiting.delete(session.pid)
    await this.admin.query('select pg_cancel_backend($1)', [session.pid])
    await waiting.answer
  }

  /** What the server does with a session whose client is gone: cancels, rolls back, lets go of the locks. */
  async abandon(session: Session): Promise<void> {
    await this.cancel(session)
    await session.client.query('rollback')
    this.giveBack(session, false)
  }

  async close(): Promise<void> {
    await Promise.all([this.admin, ...this.#all.map(({ client }) => client)].map((client) => client.end()))
  }

  async #blockersOf(pids: readonly number[]): Promise<Map<number, number[]>> {
    const { rows } = await this.admin.query({
      name: 'simulation.blockers',
      text: 'select pid, pg_blocking_pids(pid) as blockers from unnest($1::int[]) as pid',
      values: [pids],
    })
    return new Map(rows.map(({ pid, blockers }) => [Number(pid), blockers]))
  }
}

async function connect(url: string): Promise<pg.Client> {
  const types = { getTypeParser: ((oid: number, format: 'text') => parserOf(oid, format)) as never }
  const client = new pg.Client({ connectionString: url, options: OPTIONS, types })
  client.on('error', () => {})
  await client.connect()
  return client
}

const INT8 = 20
const NUMERIC = 1700

/** As kernel/postgres-database has it. */
function parserOf(oid: number, format: 'text'): unknown {
  return oid === INT8 || oid === NUMERIC ? BigInt : pg.types.getTypeParser(oid, format)
}

async function query(client: pg.Client, statement: string | Statement, values: readonly SqlValue[]): Promise<Answer> {
  try {
    const query = typeof statement === 'string' ? { text: statement } : { ...statement, values: [...values] }
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(query)
    return { rows: Array.isArray(result) ? [] : result.rows }
  } catch (error) {
    return { error }
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  return first
}
