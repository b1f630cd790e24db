import { Type } from 'typebox'
import type { RunningApp } from '#app'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { HttpServer } from '#kernel/http'
import { asyncApiOf, lagOfGroups, type Module } from '#log'
import type { Spool } from '#spool'
import type { Instruments } from './instruments.ts'
import { readinessOf } from './readiness.ts'

export type SystemPorts = {
  readonly modules: readonly Module[]
  readonly database: Database
  readonly running: RunningApp
  readonly clock: Clock
  readonly instruments: Instruments
  readonly version: string
  readonly spool: Spool | undefined
  isStopping(): boolean
}

const Lag = Type.Union([Type.Number(), Type.Null()], {
  description: 'Age of the oldest event that some group has not read yet; null with the database away.',
})
const Healthy = Type.Object({ status: Type.Literal('ok') })
const Spooled = Type.Integer({
  description: 'Requests and webhooks that were accepted by this process and wait on its disk for the log.',
})
const Ready = Type.Object({ status: Type.Literal('ready'), lag_seconds: Lag, spooled: Spooled })
const NotReady = Type.Object({
  status: Type.Literal('not_ready'),
  lag_seconds: Lag,
  spooled: Spooled,
  reasons: Type.Array(Type.String()),
})

/** For probes, scrapers and tools: no key is asked, and nothing of any tenant is said. */
export function systemRoutes(server: HttpServer, ports: SystemPorts): void {
  const { database, running, clock, instruments, modules, version, spool } = ports
  const document = asyncApiOf(modules, { title: 'Millrace', version })

  const health = { summary: 'Whether the process lives', response: { 200: Healthy } }
  server.get('/healthz', { schema: health }, async () => ({ status: 'ok' as const }))

  const readiness = {
    summary: 'Whether the process should get traffic',
    description:
      '503 while a group has halted or lags by more than a minute, the database is away and the spool cannot take its place, or the process is stopping.',
    response: { 200: Ready, 503: NotReady },
  }
  server.get('/readyz', { schema: readiness }, async (_, reply) => {
    const spooled = spool?.status().events ?? 0
    // Said without a question to anybody: a load balancer that learns of it late sends what nobody takes.
    if (ports.isStopping()) {
      return reply.code(503).send({ status: 'not_ready' as const, lag_seconds: null, spooled, reasons: ['stopping'] })
    }
    const { reasons, lagSeconds } = await readinessOf({ database, running, clock, spool })
    if (reasons.length === 0) return { status: 'ready' as const, lag_seconds: lagSeconds, spooled }
    reply.code(503)
    return { status: 'not_ready' as const, lag_seconds: lagSeconds, spooled, reasons: [...reasons] }
  })

  server.get('/metrics', async (_, reply) => {
    // Without the database the counters are still told; the lag is then the last that was known.
    await lagOfGroups(database).then(instruments.lag, () => {})
    reply.type(instruments.registry.contentType)
    return instruments.registry.metrics()
  })

  server.get('/asyncapi.json', async () => document)
}
