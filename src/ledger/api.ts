import type { HttpServer } from '#kernel/http'
import { type AccountRoutePorts, accountRoutes } from './account-routes.ts'
import { type ChartRoutePorts, chartRoutes } from './chart-routes.ts'
import { conversionQuoteRoutes } from './conversion-quote-routes.ts'
import { type ConversionRoutePorts, conversionRoutes } from './conversion-routes.ts'
import { type EntryRoutePorts, entryRoutes } from './entry-routes.ts'
import { type HoldRoutePorts, holdRoutes } from './hold-routes.ts'
import { type PayoutRoutePorts, payoutRoutes } from './payout-routes.ts'
import { type PeriodRoutePorts, periodRoutes } from './period-routes.ts'
import { type ProofRoutePorts, proofRoutes } from './proof-routes.ts'
import { type RevaluationRoutePorts, revaluationRoutes } from './revaluation-routes.ts'
import { type LedgerRoutePorts, ledgerRoutes } from './routes.ts'
import { type ScheduleRoutePorts, scheduleRoutes } from './schedule-routes.ts'
import { type SearchRoutePorts, searchRoutes } from './search-routes.ts'
import { type StatementRoutePorts, statementRoutes } from './statement-routes.ts'

export type LedgerApiPorts = LedgerRoutePorts &
  AccountRoutePorts &
  ChartRoutePorts &
  EntryRoutePorts &
  ConversionRoutePorts &
  PayoutRoutePorts &
  PeriodRoutePorts &
  ProofRoutePorts &
  RevaluationRoutePorts &
  ScheduleRoutePorts &
  SearchRoutePorts &
  HoldRoutePorts &
  StatementRoutePorts

/** Everything the ledger is asked over HTTP. */
export function ledgerApi(server: HttpServer, ports: LedgerApiPorts): void {
  ledgerRoutes(server, ports)
  accountRoutes(server, ports)
  chartRoutes(server, ports)
  entryRoutes(server, ports)
  conversionRoutes(server, ports)
  conversionQuoteRoutes(server, ports)
  payoutRoutes(server, ports)
  periodRoutes(server, ports)
  proofRoutes(server, ports)
  revaluationRoutes(server, ports)
  scheduleRoutes(server, ports)
  searchRoutes(server, ports)
  holdRoutes(server, ports)
  statementRoutes(server, ports)
}
