/** An error as a log may hold it. */
export type ErrorDescription = {
  type: string
  message: string
  code?: string
  stack?: string
  /** What PostgreSQL names: never its detail, hint or where, which quote rows. */
  schema?: string
  table?: string
  column?: string
  constraint?: string
  cause?: ErrorDescription
  errors?: ErrorDescription[]
}

/** Causes of causes past this are somebody's loop. */
const depthMax = 4
/** Of an AggregateError, as of a connection tried at several addresses. */
const errorsMax = 4

/**
 * Type, code and stack of an error without the values in it: what its message quotes is masked, because
 * parsers and databases quote what they were given, and of its fields only names are kept.
 */
export function describeError(error: unknown): ErrorDescription {
  return describe(error, depthMax)
}

function describe(error: unknown, depth: number): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is not an error was thrown' }
  return {
    type: error.name,
    message: withoutQuoted(error.message),
    ...namesOf(error),
    ...(error.stack === undefined ? {} : { stack: framesOf(error.stack) }),
    ...(error.cause !== undefined && depth > 0 ? { cause: describe(error.cause, depth - 1) } : {}),
    ...(error instanceof AggregateError && depth > 0
      ? { errors: error.errors.slice(0, errorsMax).map((inner) => describe(inner, depth - 1)) }
      : {}),
  }
}

/** From the first quote to the last of its kind: what is quoted may hold quotes itself, or be cut off. */
function withoutQuoted(message: string): string {
  return message
    .replace(/".*"|".*$/s, '"…"')
    .replace(/'.*'/s, "'…'")
    .replace(/`.*`/s, '`…`')
}

/** Only lines that are frames: the first ones repeat the message. */
function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at .+:\d+:\d+\)?$/.test(line))
    .join('\n')
}

const names = ['code', 'schema', 'table', 'column', 'constraint'] as const

function namesOf(error: Error): Partial<Record<(typeof names)[number], string>> {
  const fields = new Map<string, unknown>(Object.entries(error))
  return Object.fromEntries(names.map((name) => [name, fields.get(name)]).filter(([, value]) => isName(value)))
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9_]{1,63}$/.test(value)
}
