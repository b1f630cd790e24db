import type { Database, Tx } from '#kernel/database'

/** Around a database: what happens between a transaction's last statement and its commit, and right after it. */
export type Interference = {
  beforeCommit?(tx: Tx): Promise<void>
  afterCommit?(): Promise<void>
}

/** The database with something happening at the commits of its transactions; a rejection is the caller's to meet. */
export function interfere(database: Database, { beforeCommit, afterCommit }: Interference): Database {
  return {
    ...database,
    async transaction(options, work) {
      const result = await database.transaction(options, async (tx) => {
        const done = await work(tx)
        await beforeCommit?.(tx)
        return done
      })
      await afterCommit?.()
      return result
    },
  }
}
