import { UsageError } from './errors.ts'
import { nearest } from './nearest.ts'

/** `setting` is its name, or `group.name`. */
type Variable = { setting: string; isNumber?: boolean }

const variables: ReadonlyMap<string, Variable> = new Map([
  ['DATABASE_URL', { setting: 'databaseUrl' }],
  ['MILLRACE_PORT', { setting: 'port', isNumber: true }],
  ['MILLRACE_HOST', { setting: 'host' }],
  ['MILLRACE_DATA_DIR', { setting: 'dataDir' }],
  ['MILLRACE_MODE', { setting: 'mode' }],
  ['MILLRACE_LOG_LEVEL', { setting: 'logLevel' }],
  ['MILLRACE_DRAIN_GRACE_SECONDS', { setting: 'drain.graceSeconds', isNumber: true }],
  ['MILLRACE_DRAIN_LIMIT_SECONDS', { setting: 'drain.limitSeconds', isNumber: true }],
  ['MILLRACE_ARCHIVE_DIR', { setting: 'archive.dir' }],
  ['MILLRACE_RETENTION_DAYS', { setting: 'retention.days', isNumber: true }],
  ['MILLRACE_SPOOL_DIR', { setting: 'spool.dir' }],
  ['MILLRACE_BACKUP_DIR', { setting: 'backup.dir' }],
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
    if (text) set(values, setting, isNumber ? numberOr(text) : text)
  }
  return { values, variableOf: (setting) => known.find((name) => variables.get(name)?.setting === setting) ?? setting }
}

function set(values: Record<string, unknown>, setting: string, value: unknown): void {
  const [group = '', name] = setting.split('.')
  values[group] = name === undefined ? value : { ...(values[group] ?? {}), [name]: value }
}

/** The settings of a file under those of the environment, within a group too. */
export function overlaid<Settings extends object>(file: Settings, environment: Settings): Settings {
  const groups = Object.entries(file).flatMap(([name, value]) => {
    const over: unknown = Reflect.get(environment, name)
    const isGroup = typeof over === 'object' && over !== null && typeof value === 'object'
    return isGroup ? [[name, { ...value, ...over }] as const] : []
  })
  return { ...file, ...environment, ...Object.fromEntries(groups) }
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
