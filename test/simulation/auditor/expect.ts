import type pg from 'pg'
import { SimulationFailure } from '../machine.ts'

/** The query finds what must not be: its rows are the report. */
export async function expectNone(admin: pg.Client, claim: string, text: string): Promise<void> {
  const { rows } = await admin.query(text)
  expect(
    rows.length === 0,
    `${claim}: ${JSON.stringify(rows.slice(0, 5), (_, value) => (typeof value === 'bigint' ? `${value}` : value))}`,
  )
}

export function expect(holds: boolean, claim: string): void {
  if (!holds) throw new SimulationFailure(claim)
}
