import { connect, createServer, type Socket } from 'node:net'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import type { Ending } from '../../src/log/conformance/engine.ts'
import * as sql from '../../src/log/sql.ts'
import { until } from './until.ts'

const NAME = 'stuck'
const TTL_MS = 3_000
/** As the loop asks. */
const BOUNDS = { perPartition: 64, total: 512, bytes: 512 * 1024 }

/**
 * A member of a group that takes its share of the partitions, asks for what is on them, and stops reading in the
 * middle of the answer, as a process does that is stopped or swapped out: the server writes into a full socket.
 */
export async function stickReader(
  t: Ending,
  { url, group, database }: { url: string; group: string; database: Database },
): Promise<{ partitions: readonly number[]; ask(): void }> {
  const leases = await takeShare(database, group)
  const proxy = await startProxy(t, url)
  const reader = openDatabase({ url: proxy.url, connectionsMax: 1, applicationName: NAME })
  t.after(() => reader.close())
  return {
    partitions: [...leases.keys()],
    ask() {
      const answer = reader.transaction({}, async (tx) => {
        proxy.stall()
        await sql.take(tx, { group, leases, topics: ['toy.hints'], types: ['toy.hinted'], ...BOUNDS })
      })
      answer.catch(() => {})
    },
  }
}

async function takeShare(database: Database, group: string): Promise<sql.Leases> {
  let leases: sql.Leases = new Map()
  await until('the stuck reader has its share', async () => {
    const rows = await sql.heartbeat(database, NAME, [group], TTL_MS)
    leases = new Map(rows.map(({ partition, epoch }) => [partition, epoch]))
    await sql.rebalance(database, NAME, group, TTL_MS)
    return leases.size === 4
  })
  return leases
}

/** Passes everything on between client and server until it stalls: then it reads nothing more of the server's. */
async function startProxy(t: Ending, url: string): Promise<{ url: string; stall(): void }> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let isStalled = false
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    near.pipe(far)
    far.on('data', (chunk) => {
      if (isStalled) far.pause()
      else near.write(chunk)
    })
    far.on('close', () => near.destroy())
    near.on('close', () => far.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  target.port = String(address.port)
  return {
    url: target.href,
    stall: () => {
      isStalled = true
    },
  }
}
