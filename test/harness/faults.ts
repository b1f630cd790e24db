import { Client } from 'pg'
import { type Clock, systemClock } from '#kernel/clock'
import type { Database, Statement, Tx } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'

/** What happens at a point between two statements: the connections break, or the process is no more. */
export type FaultKind = 'cut' | 'die'
export type Fault = { readonly at: number; readonly kind: FaultKind }

export type PuppetOptions = {
  readonly url: string
  readonly name: string
  /** How far its clock and its sessions' clock are from the real one. */
  readonly offsetMs?: () => number
}

/** The database and clock of a process that can be frozen and killed at any statement. */
export type Puppet = {
  readonly database: Database
  readonly clock: Clock
  /** Points between two statements passed so far. */
  points(): number
  /** From here on, the n-th point is its last, or that of its connections. */
  arm(fault: Fault): void
  isDead(): boolean
  freeze(): void
  thaw(): void
  /** Resolves when PostgreSQL has noticed as well. Nothing that the process waits for ever settles again. */
  kill(): Promise<void>
  close(): Promise<void>
}

class ConnectionCut extends Error {
  override name = 'DatabaseFault'
}

export function createPuppet(options: PuppetOptions): Puppet {
  const { url, name, offsetMs = () => 0 } = options
  const inner = openDatabase({ url, connectionsMax: 12, applicationName: name })
  const death = new AbortController()
  let thawed: PromiseWithResolvers<void> | undefined
  let fault: Fault | undefined
  let points = 0

  const gate = async (): Promise<void> => {
    while (thawed && !death.signal.aborted) await thawed.promise
    if (death.signal.aborted) await forEver()
  }
  const kill = async (): Promise<void> => {
    death.abort()
    thawed?.resolve()
    try {
      await terminate(url, name)
    } finally {
      // Transactions of the dead never give their clients back; what is idle goes, and its listener stops reconnecting
      // also when the test's database went first.
      void inner.close().catch(() => {})
    }
  }
  const point = async (): Promise<void> => {
    await gate()
    points++
    if (!fault || points < fault.at) return
    const { kind } = fault
    fault = undefined
    if (kind === 'die') {
      await kill()
      return forEver()
    }
    await terminate(url, name)
    throw new ConnectionCut('the connection was cut by the test')
  }

  const atItsTime = async (tx: Tx): Promise<void> => {
    if (offsetMs() !== 0)
      await tx.script(`set local millrace.now = '${new Date(systemClock.now() + offsetMs()).toISOString()}'`)
  }
  const stepwise = (tx: Tx): Tx => ({
    async query(statement, values) {
      const rows = await tx.query(statement, values)
      await point()
      return rows as never
    },
    script: (text) => tx.script(text),
    become: (role) => tx.become(role),
  })
  const transaction: Database['transaction'] = async (how, work) => {
    await gate()
    const result = await inner.transaction(how, async (tx) => {
      await atItsTime(tx)
      await point()
      return work(stepwise(tx))
    })
    await point()
    return result
  }
  const alone = (statement: Statement, values: Parameters<Database['query']>[1]): Promise<unknown> =>
    offsetMs() === 0
      ? inner.query(statement, values)
      : inner.transaction({}, async (tx) => {
          await atItsTime(tx)
          return tx.query(statement, values)
        })

  return {
    points: () => points,
    arm: ({ at, kind }) => {
      fault = { at: points + at, kind }
    },
    isDead: () => death.signal.aborted,
    freeze: () => {
      thawed ??= Promise.withResolvers()
    },
    thaw: () => {
      const { resolve } = thawed ?? Promise.withResolvers<void>()
      thawed = undefined
      resolve()
    },
    kill,
    close: () => inner.close(),
    clock: {
      now: () => systemClock.now() + offsetMs(),
      monotonicMs: () => systemClock.monotonicMs(),
      async sleep(ms, signal) {
        await systemClock.sleep(ms, signal ? AbortSignal.any([signal, death.signal]) : death.signal)
        await gate()
      },
    },
    database: {
      transaction,
      async query(statement, values) {
        await point()
        const rows = await alone(statement, values)
        await point()
        return rows as never
      },
      listen: (channel, heard) => inner.listen(channel, (payload) => void (death.signal.aborted || heard(payload))),
      close: () => inner.close(),
    },
  }
}

function forEver(): Promise<never> {
  return new Promise(() => {})
}

/** Ends the server's side of every connection of the name, and waits until it is gone. */
async function terminate(url: string, name: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where application_name = $1 and datname = current_database()`,
      [name],
    )
  } finally {
    await client.end()
  }
}
