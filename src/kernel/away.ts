import pg from 'pg'

/**
 * Connection, resources, operator intervention, and the limits that a session carries (SQLSTATE classes 08, 53, 57, 58,
 * 25P03, 25P04, 55P03), deadlocks, read-only standbys.
 */
const passing = /^(?:08|53|57|58|40)|^25P0[34]$|^55P03$|^25006$/

/** Whether the world failed, not the request and not our code: what `pg` throws without a code is a lost connection. */
export function isAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return passing.test(error.code ?? '')
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string') return /^E[A-Z]+$/.test(error.code)
  return error.name === 'AggregateError' || /connection|timeout|not queryable/i.test(plainMessage(error))
}

/** Errors with a name of their own (Refusal, InvariantViolation, TypeError …) say what they are by it. */
function plainMessage(error: Error): string {
  return error.name === 'Error' || error.name === 'DatabaseFault' ? error.message : ''
}
