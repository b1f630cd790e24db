import { openWorker, WORKERS, type Worker } from './pool.ts'
import type { Outcome } from './schedule.ts'

export type Totals = {
  schedules: number
  statements: number
  lockWaits: number
  faults: number
  payments: number
  statementsMin: number
  faultsMin: number
  readonly failed: Outcome[]
}

/** Runs every seed, on all workers at once; stops early after some failures, because one is enough to look at. */
export async function runSeeds(
  root: string,
  serverUrl: string,
  seeds: readonly string[],
  label = 'clean',
): Promise<Totals> {
  const totals: Totals = {
    schedules: 0,
    statements: 0,
    lockWaits: 0,
    faults: 0,
    payments: 0,
    statementsMin: Number.POSITIVE_INFINITY,
    faultsMin: Number.POSITIVE_INFINITY,
    failed: [],
  }
  const queue = [...seeds]
  await Promise.all(
    Array.from({ length: Math.min(WORKERS, seeds.length) }, async (_, n) => {
      const worker = await openWorker(root, serverUrl, `simulation_${label}_${n}`)
      await work(worker, queue, totals).finally(() => worker.close())
    }),
  )
  return totals
}

const FAILURES_MAX = 3

async function work(worker: Worker, queue: string[], totals: Totals): Promise<void> {
  for (let seed = queue.shift(); seed !== undefined && totals.failed.length < FAILURES_MAX; seed = queue.shift()) {
    count(totals, await worker.run(seed))
  }
}

function count(totals: Totals, outcome: Outcome): void {
  totals.schedules++
  totals.payments += outcome.payments
  totals.statements += outcome.statements
  totals.lockWaits += outcome.lockWaits
  totals.faults += outcome.faults.length
  totals.statementsMin = Math.min(totals.statementsMin, outcome.statements)
  totals.faultsMin = Math.min(totals.faultsMin, outcome.faults.length)
  if (outcome.failure !== undefined) totals.failed.push(outcome)
}
