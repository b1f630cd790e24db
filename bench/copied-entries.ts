import { once } from 'node:events'
import pg from 'pg'
import { from, to } from 'pg-copy-streams'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import type { HttpPlatform } from './http-platform.ts'

/** Entries of one commit. */
const BATCH = 1_000

/** What an entry leaves, in the order in which it came. */
const tables = [
  { name: 'copied_entry', like: 'ledger.entry', entries: `source like $1 order by booked_at`, each: 1 },
  { name: 'copied_record', like: 'log.record', entries: `key like $1 order by position, partition, "offset"`, each: 1 },
  { name: 'copied_filed', like: 'ledger.filed', entries: `source like $1 order by effective_at`, each: 1 },
  { name: 'copied_line', like: 'ledger.line', entries: `source like $1 order by booked_at, account`, each: 2 },
]

/**
 * The limit of this machine: what PostgreSQL takes for the rows of a load alone (its entries, their events and lines, and what they are found by), copied
 * into empty tables like ours, keys, indexes and checks included, a commit for every thousand entries.
 */
export async function copiedEntries(
  { databaseUrl, postmaster }: Pick<HttpPlatform, 'databaseUrl' | 'postmaster'>,
  { run, entries }: { readonly run: string; readonly entries: number },
): Promise<{ cpuUs: number; perSecond: number }> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const batches: { name: string; texts: string[] }[] = []
  for (const { name, like, entries: those, each } of tables) {
    await client.query(`create table ${name} (like ${like} including all)`)
    const query = `select * from ${like} where ${those.replace('$1', `'entry/${run}%'`)}`
    batches.push({ name, texts: inBatches(await copiedOut(client, query), each * BATCH) })
  }
  await client.query('checkpoint')
  const before = { us: nodeCpuUs() + postgresCpuUs(postmaster), ms: performance.now() }
  for (let batch = 0; batch * BATCH < entries; batch++) {
    await client.query('begin')
    for (const { name, texts } of batches) {
      const stream = client.query(from(`copy ${name} from stdin`))
      stream.end(texts[batch] ?? '')
      await once(stream, 'finish')
    }
    await client.query('commit')
  }
  const cpuUs = (nodeCpuUs() + postgresCpuUs(postmaster) - before.us) / entries
  const perSecond = entries / ((performance.now() - before.ms) / 1000)
  for (const { name } of tables) await client.query(`drop table ${name}`)
  await client.end()
  return { cpuUs, perSecond }
}

async function copiedOut(client: pg.Client, query: string): Promise<string[]> {
  const stream = client.query(to(`copy (${query}) to stdout`))
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += chunk
  return text.split('\n').slice(0, -1)
}

function inBatches(rows: readonly string[], size: number): string[] {
  const count = Math.ceil(rows.length / size)
  return Array.from({ length: count }, (_, batch) => `${rows.slice(batch * size, (batch + 1) * size).join('\n')}\n`)
}
