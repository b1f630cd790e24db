import type { Database, Tx } from '#kernel/database'
import * as sql from './sql.ts'

/**
 * Where the rebuilt rows are while the live ones stand: in temporary tables of one session, which its end takes away,
 * however it ends. `live` has one session, and keeps it.
 */
export async function createCopies(live: Database, tables: readonly sql.Table[], role: string): Promise<void> {
  await live.transaction({}, async (tx) => {
    for (const table of tables) await tx.script(sql.createCopy(table, role))
  })
}

/** What a fold is handed, so that its own statements go to the copies. */
export function onCopies(tx: Tx, tables: readonly sql.Table[]): Tx {
  return { ...tx, query: (statement, values) => tx.query(sql.redirected(statement, tables), values) }
}
