import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { mutants } from '../chaos/mutants.ts'
import { planOf, planOfDeaths } from '../chaos/plan.ts'
import { hitShare } from '../chaos/report.ts'
import { type RunOptions, runChaos } from '../chaos/run.ts'

// `npm run chaos` in small: real processes, real faults, and an auditor that must find the bugs that are planted.

const short = {
  processes: 2,
  paymentsPerSecond: 40,
  patienceMs: 120_000,
  print: () => {},
} satisfies Partial<RunOptions>

test('no promise is broken by one fault of every kind', async () => {
  const about = { seed: 20_261_121, minutes: 1.25, processes: 2 }
  const { report, failures } = await runChaos({ ...short, ...about, plan: planOf({ ...about, faults: 14 }) })
  assert.deepEqual(failures, [])
  assert.equal(report.struck.length, 14)
  assert.ok(hitShare(report) >= 0.5)
  assert.ok(report.evidence.asked.length > 500 && report.evidence.reported.length > 500)
})

for (const { name } of mutants) {
  test(`it is found out that ${name}`, async () => {
    const about = { seed: 3, minutes: 0.4, processes: 2 }
    const plan = planOfDeaths({ ...about, faults: 3 })
    const { report, directory } = await runChaos({ ...short, ...about, plan, mutant: name })
    assert.notDeepEqual(report.findings, [])
    await rm(directory, { recursive: true, force: true })
  })
}
