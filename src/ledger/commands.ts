import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { Random } from '#kernel/random'
import type { Seal } from '#kernel/seal'
import type { Wakeups } from '#log'
import { type AccountAdmin, createAccountAdmin } from './administer.ts'
import { createDesk, type Desk } from './desk.ts'
import { createPeriods, type Periods } from './period.ts'

/** What callers can do on the ledger: each in a transaction of its own, idempotent by its id. */
export type LedgerCommands = { readonly desk: Desk; readonly accounts: AccountAdmin; readonly periods: Periods }

export function createLedgerCommands(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly random: Random
  readonly clock: Clock
  readonly seal: Seal
}): LedgerCommands {
  const desk = createDesk({ database: ports.work, wakeups: ports.wakeups })
  return { desk, accounts: createAccountAdmin(ports), periods: createPeriods(ports) }
}
