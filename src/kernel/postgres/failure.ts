/** Why PostgreSQL cannot serve, in one line for the person who started us: what happened and what to do. */
export class StartFailure extends Error {
  override name = 'StartFailure'
}

/** Turns a file system error on the way to a running server into its line; anything else is returned as it came. */
export function explainError(error: unknown, dataDir: string): unknown {
  if (error instanceof StartFailure || !isSystemError(error)) return error
  const line = systemLines[error.code]?.(error.path ?? dataDir)
  return line ? new StartFailure(line, { cause: error }) : error
}

/** Turns what initdb or postgres wrote before it gave up into one line. */
export function explainOutput(output: string, dataDir: string): StartFailure {
  const known = outputLines.find(({ sign }) => sign.test(output))
  if (known) return new StartFailure(known.line(dataDir))
  const last = output.match(/(?:FATAL|PANIC|error): .*/g)?.at(-1) ?? output.trim().split('\n').at(-1)
  return new StartFailure(`PostgreSQL did not start in ${dataDir}: ${last || 'it said nothing'}`)
}

/** Whether what postgres wrote before it gave up goes away by itself: what a dead server held, or a port just taken. */
export function isPassing(output: string): boolean {
  return /pre-existing shared memory block|lock file "[^"]*" (?:already exists|is empty)|Address already in use/.test(
    output,
  )
}

const full = (path: string): string =>
  `The disk that holds ${path} is full: free some space, or choose a directory on another disk.`
const unwritable = (path: string): string =>
  `${path} cannot be written: let this user write there, or choose another directory.`

const systemLines: Record<string, (path: string) => string> = {
  ENOSPC: full,
  EDQUOT: full,
  EACCES: unwritable,
  EPERM: unwritable,
  EROFS: unwritable,
  ENOTDIR: unwritable,
  EEXIST: unwritable,
}

const outputLines: { sign: RegExp; line: (dataDir: string) => string }[] = [
  { sign: /No space left on device|Disk quota exceeded/, line: full },
  { sign: /Permission denied|Read-only file system/, line: unwritable },
  {
    sign: /wrong ownership|invalid permissions/,
    line: (dataDir) => `${dataDir} belongs to another user: start as that user, or choose another data directory.`,
  },
  {
    sign: /could not look up effective user ID|user does not exist/,
    line: () => 'PostgreSQL needs an entry in /etc/passwd for this user: add one, or set DATABASE_URL.',
  },
  {
    sign: /Address already in use/,
    line: () => 'The port for PostgreSQL on 127.0.0.1 is taken: stop what uses it, or choose another port.',
  },
]

type SystemError = Error & { code: string; path?: string }

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
