import { once } from 'node:events'
import pg from 'pg'
import { from } from 'pg-copy-streams'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import type { Platform } from './platform.ts'

/** Rows that one payment leaves in the log and in the modules' tables on its way to the ledger. */
const ROWS_A_PAYMENT = 9
const BATCH = 500

/** What PostgreSQL takes for the rows alone: COPY into a table with a primary key, a commit for every 500 payments. */
export async function bareCopy(
  { url, postmaster }: Pick<Platform, 'url' | 'postmaster'>,
  payments: number,
): Promise<{ cpuUs: number; rate: number }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('create table bare (id bigint primary key, data text)')
  const data = 'x'.repeat(300)
  const before = { cpu: nodeCpuUs() + postgresCpuUs(postmaster), at: performance.now() }
  let id = 0
  for (let payment = 0; payment < payments; payment += BATCH) {
    const rows: string[] = []
    for (let row = 0; row < BATCH * ROWS_A_PAYMENT; row++) rows.push(`${id++}\t${data}\n`)
    const stream = client.query(from('copy bare from stdin'))
    stream.end(rows.join(''))
    await once(stream, 'finish')
  }
  const cpuUs = (nodeCpuUs() + postgresCpuUs(postmaster) - before.cpu) / payments
  const rate = payments / ((performance.now() - before.at) / 1000)
  await client.query('drop table bare')
  await client.end()
  return { cpuUs, rate }
}
