import type { RunningApp } from '#app'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { HttpServer } from '#kernel/http'
import { asyncApiOf, lagOfGroups, type Module } from '#log'
import type { Instruments } from './instruments.ts'
import { whyNotReady } from './readiness.ts'

export type SystemPorts = {
  readonly modules: readonly Module[]
  readonly database: Database
  readonly running: RunningApp
  readonly clock: Clock
  readonly instruments: Instruments
  readonly version: string
}

/** For probes, scrapers and tools: no key is asked, and nothing of any tenant is said. */
export function systemRoutes(server: HttpServer, ports: SystemPorts): void {
  const { database, running, clock, instruments, modules, version } = ports
  const document = asyncApiOf(modules, { title: 'Millrace', version })

  server.get('/healthz', async () => ({ status: 'ok' }))

  server.get('/readyz', async (_, reply) => {
    const reasons = await whyNotReady(database, running, clock)
    if (reasons.length > 0) reply.code(503)
    return reasons.length > 0 ? { status: 'not_ready', reasons } : { status: 'ready' }
  })

  server.get('/metrics', async (_, reply) => {
    // Without the database the counters are still told; the lag is then the last that was known.
    await lagOfGroups(database).then(instruments.lag, () => {})
    reply.type(instruments.registry.contentType)
    return instruments.registry.metrics()
  })

  server.get('/asyncapi.json', async () => document)
}
