import type { HttpServer } from '#kernel/http'
import { type AccountRoutePorts, accountRoutes } from './account-routes.ts'
import { type ConversionRoutePorts, conversionRoutes } from './conversion-routes.ts'
import { type EntryRoutePorts, entryRoutes } from './entry-routes.ts'
import { type PeriodRoutePorts, periodRoutes } from './period-routes.ts'
import { type RevaluationRoutePorts, revaluationRoutes } from './revaluation-routes.ts'
import { type LedgerRoutePorts, ledgerRoutes } from './routes.ts'
import { type StatementRoutePorts, statementRoutes } from './statement-routes.ts'

export type LedgerApiPorts = LedgerRoutePorts &
  AccountRoutePorts &
  EntryRoutePorts &
  ConversionRoutePorts &
  PeriodRoutePorts &
  RevaluationRoutePorts &
  StatementRoutePorts

/** Everything the ledger is asked over HTTP. */
export function ledgerApi(server: HttpServer, ports: LedgerApiPorts): void {
  ledgerRoutes(server, ports)
  accountRoutes(server, ports)
  entryRoutes(server, ports)
  conversionRoutes(server, ports)
  periodRoutes(server, ports)
  revaluationRoutes(server, ports)
  statementRoutes(server, ports)
}
