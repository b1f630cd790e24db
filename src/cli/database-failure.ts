import { StartFailure } from '#kernel/postgres/start'

/** An error of the database that a person can put right becomes its one line; anything else is returned as it came. */
export function explainDatabase(error: unknown): unknown {
  const line = error instanceof Error ? lineFor(error) : undefined
  return line === undefined ? error : new StartFailure(line, { cause: error })
}

const lines: ReadonlyMap<string, string> = new Map([
  ['28P01', 'The database refuses the password: check DATABASE_URL.'],
  ['28000', 'The database refuses this user: check DATABASE_URL, and what pg_hba.conf lets in.'],
  ['3D000', 'There is no such database: create it, or check the name in DATABASE_URL.'],
  ['42704', 'Millrace needs PostgreSQL 17 or later: point DATABASE_URL at one.'],
  ['42501', 'This database user may not create schemas and roles: grant it CREATE on the database, and CREATEROLE.'],
  ['42P01', 'This database holds no Millrace yet: run `millrace start` on it first.'],
  ['3F000', 'This database holds no Millrace yet: run `millrace start` on it first.'],
  ['53100', 'The disk that holds the database is full: free some space there.'],
  ['25006', 'This database takes no writes: point DATABASE_URL at the one that does.'],
  ['53300', 'The database has no connection left for us: raise its max_connections, or stop who holds them.'],
  ['MR001', 'A group is behind the archive: what it has not read is in no table. See millrace doctor, and try again.'],
  ['57P03', 'The database is starting or stopping: try again in a moment.'],
])

const unreachable = /^E(?:CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE)$/

function lineFor(error: Error): string | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // The driver tells some of it in words alone: a name with two addresses, a server that says nothing.
  const isSilent = /^timeout expired|timeout exceeded|Connection terminated/.test(error.message)
  if (unreachable.test(code) || isSilent) {
    const reason = code === '' ? 'no answer' : code
    return `The database cannot be reached (${reason}): check DATABASE_URL, and that PostgreSQL runs there.`
  }
  return lines.get(code)
}
