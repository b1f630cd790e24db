import { parseArgs } from 'node:util'
import { systemRandom } from '#kernel/random'
import { mutants } from './mutants.ts'
import { planOf, planOfDeaths } from './plan.ts'
import { runChaos } from './run.ts'

// npm run chaos -- [--minutes N] [--seed S] [--processes N] [--faults N] [--rate PAYMENTS_A_SECOND] [--mutant NAME] [--keep]
// The exit code is 1 when a promise was broken; what shows it stays in the directory that the last line names.

const FAULTS_A_MINUTE = 6

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    processes: { type: 'string', default: '2' },
    faults: { type: 'string' },
    rate: { type: 'string', default: '110' },
    mutant: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})

const minutes = numberOf('minutes', values.minutes)
const { mutant } = values
if (mutant !== undefined && !mutants.some(({ name }) => name === mutant)) {
  refuse(`--mutant must be one of: ${mutants.map(({ name }) => name).join('; ')}`)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

const about = {
  seed: values.seed === undefined ? systemRandom.bytes(4).readUInt32BE() : numberOf('seed', values.seed),
  minutes,
  processes: numberOf('processes', values.processes),
}
const faults = values.faults === undefined ? Math.ceil(minutes * FAULTS_A_MINUTE) : numberOf('faults', values.faults)
const { failures, directory } = await runChaos({
  ...about,
  plan: mutant === undefined ? planOf({ ...about, faults }) : planOfDeaths({ ...about, faults }),
  paymentsPerSecond: numberOf('rate', values.rate),
  ...(mutant === undefined ? {} : { mutant }),
  isKept: values.keep,
  print: (line) => void process.stdout.write(`${line}\n`),
})
if (failures.length > 0 || values.keep) process.stdout.write(`\nEvidence: ${directory}\n`)
process.exit(failures.length > 0 ? 1 : 0)

function numberOf(name: string, text: string): number {
  const number = Number(text)
  if (Number.isFinite(number) && number >= 0) return number
  return refuse(`--${name} must be a number`)
}

function refuse(line: string): never {
  process.stderr.write(`${line}\n`)
  process.exit(2)
}
