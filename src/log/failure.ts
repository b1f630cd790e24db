import { InvariantViolation } from '#kernel/invariant'

export type Failure = 'deterministic' | 'unique_violation' | 'fault'

/**
 * Whether an error would come again for the same event. A closed list: only what is surely the
 * event's own doing parks it; everything else is the world's, and is tried again.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof InvariantViolation) return 'deterministic'
  const code = sqlStateOf(error)
  if (code === undefined) return 'fault'
  if (code.startsWith('22') || code === '23502' || code === '23514') return 'deterministic'
  // A rival may have inserted the row between our look and our insert: seen again after a retry, it is our bug.
  return code === '23505' ? 'unique_violation' : 'fault'
}

/** What may be kept of an error beside an event: its kind and code, never values. */
export function describeFailure(error: unknown): string {
  if (error instanceof InvariantViolation) return `${error.name}: ${error.message}`
  const code = sqlStateOf(error)
  if (code !== undefined) return `SQLSTATE ${code}`
  return error instanceof Error ? error.name : 'unknown failure'
}

/** As PostgreSQL gave it; undefined for what is no error of its own. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}
