import type { Tx } from '#kernel/database'
import * as sql from './sql.ts'

/** A row that is not the same in both: its key and what each has, as JSON; null where there is none. */
export type Difference = {
  readonly table: string
  readonly key: string
  readonly live: string | null
  readonly rebuilt: string | null
}

/** Rows of one table that were told one by one; the rest is counted. */
const TOLD_MAX = 1_000

/** Tells how the copies differ from the live tables, by key. Memory is bounded, however much differs. */
export async function differences(
  tx: Tx,
  tables: readonly sql.Table[],
  tell: (difference: Difference) => void,
): Promise<{ rows: bigint; differing: number }> {
  let rows = 0n
  let differing = 0
  for (const table of tables) {
    await tx.script(sql.analyzeCopy(table))
    rows += await sql.countOf(tx, table.copy)
    let told = 0
    await sql.eachDifference(tx, table, (page) => {
      differing += page.length
      for (const row of page) if (told++ < TOLD_MAX) tell({ table: table.name, ...row })
    })
  }
  return { rows, differing }
}
