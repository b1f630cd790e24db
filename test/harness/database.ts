import { createHash, randomBytes } from 'node:crypto'
import { after } from 'node:test'
import { Client } from 'pg'
import { startTestServer } from './server.ts'

/** What of a TestContext is needed here. */
type Ending = { after(work: () => Promise<void>): void }

export type DatabaseOptions = {
  /** Fills the template, as by running migrations; once per server, then every database is a copy of it. */
  template?: (url: string) => Promise<void>
  /** Tells templates apart whose functions read the same. */
  templateName?: string
}

/**
 * The URL of the one PostgreSQL that all test files of a run share, `scripts/test.js` having started it. A file run
 * by hand starts its own, which ends with the file.
 */
export function acquireServer(): Promise<string> {
  const shared = process.env.MILLRACE_TEST_DATABASE_URL
  if (shared) return Promise.resolve(shared)
  own ??= startTestServer()
  return own.then((server) => server.url)
}

let own: ReturnType<typeof startTestServer> | undefined

after(async () => {
  await (await own)?.stop()
})

/** A database of the test's own, dropped when the test ends even if the test left connections open. */
export async function createDatabase(t: Ending, options: DatabaseOptions = {}): Promise<{ url: string }> {
  const server = await acquireServer()
  const template = options.template ? await ensureTemplate(server, options.template, options.templateName) : 'template1'
  const name = `test_${randomBytes(8).toString('hex')}`
  await withClient(server, (client) => client.query(`create database ${name} template ${template}`))
  const drop = (): Promise<void> => withClient(server, (client) => client.query(`drop database ${name} with (force)`))
  // Endings run in the order in which they were given. Given again at the end, this one comes after those with which
  // the test closes what it opened on the database.
  t.after(async () => t.after(drop))
  return { url: urlOf(server, name) }
}

/** One test process makes the template while the others wait; it gets its name when it is whole. */
async function ensureTemplate(server: string, fill: (url: string) => Promise<void>, label = ''): Promise<string> {
  const name = `template_${createHash('sha256').update(`${label}\n${fill}`).digest('hex').slice(0, 16)}`
  await withClient(server, async (client) => {
    await client.query('select pg_advisory_lock(hashtext($1))', [name])
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount === 0) await makeTemplate(client, server, name, fill)
  })
  return name
}

async function makeTemplate(
  client: Client,
  server: string,
  name: string,
  fill: (url: string) => Promise<void>,
): Promise<void> {
  const draft = `draft_${name}`
  await client.query(`drop database if exists ${draft} with (force)`)
  await client.query(`create database ${draft}`)
  await fill(urlOf(server, draft))
  // A connection that is still about would keep the template from being renamed and copied, now and later.
  await client.query(`alter database ${draft} with allow_connections false`)
  await client.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [draft])
  await client.query(`alter database ${draft} rename to ${name}`)
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}
