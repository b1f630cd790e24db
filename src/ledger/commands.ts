import type { Clock } from '#kernel/clock'
import type { LedgerSettings } from '#kernel/config-ledger'
import type { Database } from '#kernel/database'
import type { Random } from '#kernel/random'
import type { Seal } from '#kernel/seal'
import type { Wakeups } from '#log'
import { type AccountAdmin, createAccountAdmin } from './administer.ts'
import { type Catalog, createCatalog } from './catalog.ts'
import { createDesk, type Desk } from './desk.ts'
import { createPayouts, type Payouts } from './merchant-payout.ts'
import { createPeriods, type Periods } from './period.ts'
import { createReservations, type Reservations } from './reservations.ts'

/** What callers can do on the ledger: each in a transaction of its own, idempotent by its id. */
export type LedgerCommands = {
  readonly desk: Desk
  readonly accounts: AccountAdmin
  readonly periods: Periods
  readonly catalog: Catalog
  readonly payouts: Payouts
  /** The command port of another module, by its name. */
  reservations(module: string): Reservations
}

/** @throws UsageError for charts and templates that are not sound. */
export function createLedgerCommands(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly random: Random
  readonly clock: Clock
  readonly seal: Seal
  readonly settings: LedgerSettings
}): LedgerCommands {
  const desk = createDesk({ database: ports.work, wakeups: ports.wakeups })
  const catalog = createCatalog(ports.settings)
  const payouts = createPayouts({ desk, read: ports.read })
  return {
    desk,
    accounts: createAccountAdmin(ports),
    periods: createPeriods(ports),
    catalog,
    payouts,
    reservations: (module) => createReservations({ desk, clock: ports.clock, digest: ports.seal.digest }, module),
  }
}
