import type { LedgerSettings } from '#kernel/config-ledger'
import { type Chart, readCharts } from './chart.ts'
import { readTemplates } from './read-templates.ts'
import type { Template } from './template.ts'

/** Charts of accounts and templates of entries, as the installation is configured. */
export type Catalog = {
  readonly charts: ReadonlyMap<string, Chart>
  readonly templates: ReadonlyMap<string, Template>
}

/** @throws UsageError, one line for the first that is not sound. */
export function createCatalog({ charts = {}, templates = {} }: LedgerSettings): Catalog {
  return { charts: readCharts(charts), templates: readTemplates(templates) }
}
