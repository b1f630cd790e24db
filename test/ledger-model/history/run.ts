import { type Ending, startPlatforms } from '../platform.ts'
import { type Anomaly, anomaliesIn } from './check.ts'
import { type HistoryLoad, recordHistory } from './record.ts'

export type HistoryReport = { readonly anomalies: readonly Anomaly[]; readonly line: string }

/** Records a history of two platforms on one database, and looks for what cannot be. */
export async function runHistory(
  t: Ending,
  load: HistoryLoad & { readonly databaseUrl: string },
): Promise<HistoryReport> {
  const platforms = await startPlatforms(t, load.databaseUrl, 2)
  const operations = await recordHistory(platforms, load)
  const anomalies = anomaliesIn(operations)
  const done = operations.filter(({ adds, outcome }) => adds.length > 0 && outcome === 'done').length
  const refused = operations.filter(({ outcome }) => outcome === 'refused').length
  const unknown = operations.filter(({ outcome }) => outcome === 'unknown').length
  const line = `seed=${load.seed}: a history of ${operations.length} operations, ${done} added, ${refused} refused, ${unknown} unknown: ${anomalies.length} anomalies`
  return { anomalies, line }
}
