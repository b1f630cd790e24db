import { type Database, type SqlValue, statement, type Tx } from '#kernel/database'
import type { OpenBook, Whose } from './book-sql.ts'
import { refusalJson } from './refusal.ts'
import { keptEntry, type Schedule, type ScheduleState } from './schedule.ts'

const WRITE = statement('ledger.write_schedules', 'select ledger.write_schedules($1, $2, $3, $4, $5)')
/** Writes what was scheduled or has ended on the book. @throws with SQLSTATE 40001 when another process was first. */
export async function writeSchedules(tx: Tx, { tenant, mode }: Whose, open: OpenBook): Promise<void> {
  const { schedules } = open.book.changes()
  if (schedules.length === 0) return
  const isOld = ({ source }: Schedule): boolean => open.schedules.has(source)
  const fresh = schedules.filter((schedule) => !isOld(schedule)).map(newRow)
  const ended = schedules.filter(isOld).map(endedRow)
  await tx.query(WRITE, [tenant, mode, open.now, jsonOf(fresh), jsonOf(ended)])
}

function jsonOf(rows: readonly object[]): string | null {
  return rows.length === 0 ? null : JSON.stringify(rows)
}

function newRow({ source, fingerprint, entry, dueAt, state }: Schedule) {
  const purpose = entry?.kind === 'entry' ? entry.purpose : 'reversal'
  return { source, fingerprint, purpose, command: entry ? keptEntry(entry) : null, due_ms: dueAt, state }
}

function endedRow({ source, state, refusal }: Schedule) {
  return { source, state, refusal: refusal ? refusalJson(refusal) : null }
}

export type ScheduleRow = {
  source: string
  purpose: string
  command: unknown
  due_at: Date
  state: ScheduleState
  refusal: Readonly<Record<string, string>> | null
  placed_at: Date
  ended_at: Date | null
}
const COLUMNS = 'source, purpose, command, due_at, state, refusal, placed_at, ended_at'

const FIND = statement(
  'ledger.find_schedules',
  `select ${COLUMNS} from ledger.schedule where tenant = $1 and mode = $2 and source = any ($3) order by source`,
)
export function findSchedules(database: Pick<Database, 'query'>, { tenant, mode }: Whose, sources: readonly string[]) {
  return database.query<ScheduleRow>(FIND, [tenant, mode, sources])
}

export type SchedulePlace = { readonly dueAt: string; readonly source: string }

const PAGE_COLUMNS = `${COLUMNS}, to_char(due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') as place`
const FIRST = statement(
  'ledger.schedules_first',
  `select ${PAGE_COLUMNS} from ledger.schedule where tenant = $1 and mode = $2 and state = $3
   order by due_at, source limit $4`,
)
const AFTER = statement(
  'ledger.schedules_after',
  `select ${PAGE_COLUMNS} from ledger.schedule where tenant = $1 and mode = $2 and state = $3
     and (due_at, source) > ($5::timestamptz, $6)
   order by due_at, source limit $4`,
)
/** Those of a state, the soonest first. `place` is a text of fixed width: a Date would lose its microseconds. */
export function schedulePage(
  database: Database,
  { tenant, mode }: Whose,
  about: { readonly state: ScheduleState; readonly after: SchedulePlace | undefined; readonly limit: number },
) {
  const { state, after, limit } = about
  const values: SqlValue[] = [tenant, mode, state, limit, ...(after ? [after.dueAt, after.source] : [])]
  return database.query<ScheduleRow & { place: string }>(after ? AFTER : FIRST, values)
}
