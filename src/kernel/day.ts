/** Of the calendar in UTC, as in 2026-11-21: of an instant in Unix milliseconds. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** Whether it is a day of the calendar, written so: 2026-02-30 is none, and PostgreSQL has no year 0. */
export function isDay(text: string): boolean {
  if (!/^(?!0000)\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && dayOf(at) === text
}

/** Midnight UTC at which the day begins, in Unix milliseconds. */
export function beginOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`)
}
