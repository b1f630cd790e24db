import type { Module } from '#log'
import { rateReplaced, ratesRecorded } from './events.ts'

export { readRateFile } from './file.ts'
export { RatesUnreadable } from './format.ts'
export { createRates, ratesOn } from './rates.ts'
export { createRecordRates } from './record.ts'
export { fxRoutes } from './routes.ts'

export const fx: Module = {
  name: 'fx',
  summary: 'What currencies were worth in each other, by day and source.',
  events: [ratesRecorded, rateReplaced],
  migrations: new URL('./migrations/', import.meta.url),
}
