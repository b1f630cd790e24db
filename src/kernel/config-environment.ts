import { UsageError } from './errors.ts'
import { nearest } from './nearest.ts'

type Variable = { setting: string; isNumber?: boolean }

const variables: ReadonlyMap<string, Variable> = new Map([
  ['DATABASE_URL', { setting: 'databaseUrl' }],
  ['MILLRACE_PORT', { setting: 'port', isNumber: true }],
  ['MILLRACE_HOST', { setting: 'host' }],
  ['MILLRACE_DATA_DIR', { setting: 'dataDir' }],
  ['MILLRACE_MODE', { setting: 'mode' }],
  ['MILLRACE_LOG_LEVEL', { setting: 'logLevel' }],
])

/** Set by the test runner and its users for tests alone; a process started by a test inherits them. */
const ofTests: ReadonlySet<string> = new Set(['MILLRACE_TEST_DATABASE_URL', 'MILLRACE_CORPUS'])

/** What the environment sets, unchecked, and the variable that a setting came from. An empty variable sets nothing. */
export function environmentSettings(env: Readonly<Record<string, string | undefined>>): {
  values: Record<string, unknown>
  variableOf: (setting: string) => string
} {
  const known = [...variables.keys()]
  for (const name of Object.keys(env)) {
    if (name.startsWith('MILLRACE_') && !variables.has(name) && !ofTests.has(name)) throw unknown(name, known)
  }
  const values: Record<string, unknown> = {}
  for (const [name, { setting, isNumber }] of variables) {
    const text = env[name]
    if (text) values[setting] = isNumber ? numberOr(text) : text
  }
  return { values, variableOf: (setting) => known.find((name) => variables.get(name)?.setting === setting) ?? setting }
}

function unknown(name: string, known: readonly string[]): UsageError {
  const near = nearest(name, known)
  return new UsageError(
    `${name} is not a setting.${near === undefined ? ` Known are ${known.join(', ')}.` : ` Did you mean ${near}?`}`,
  )
}

/** Only plain digits are a number; the rest stays text, which the schema then refuses. */
function numberOr(text: string): number | string {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : text
}
