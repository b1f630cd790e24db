import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

type Ending = { after(work: () => Promise<void>): void }

/** A span as it came over the wire. */
export type CollectedSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly name: string
  readonly service: string
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly hasFailed: boolean
  readonly startedAt: bigint
  readonly endedAt: bigint
}

export type Collector = {
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  readonly bodies: readonly string[]
}

/** What an OpenTelemetry collector is to an exporter: OTLP over HTTP, in JSON. `hangs`: it takes and never answers. */
export async function openCollector(t: Ending, { hangs = false } = {}): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const bodies: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (hangs) return
      const body = Buffer.concat(chunks).toString('utf8')
      bodies.push(body)
      if (request.url === '/v1/traces') spans.push(...spansIn(JSON.parse(body)))
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  const url = await listen(server)
  t.after(async () => {
    server.closeAllConnections()
    await new Promise<void>((closed) => server.close(() => closed()))
  })
  return { url: `${url}/v1/traces`, spans, bodies }
}

function listen(server: Server): Promise<string> {
  return new Promise((listening) => {
    server.listen(0, '127.0.0.1', () => listening(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}

// ExportTraceServiceRequest of opentelemetry-proto, as far as it is looked at here.
type Attribute = { key: string; value: { stringValue?: string; intValue?: number; boolValue?: boolean } }
type Exported = {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: ExportedSpan[] }[] }[]
}
type ExportedSpan = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  attributes: Attribute[]
  links: { traceId: string; spanId: string }[]
  status: { code: number }
  startTimeUnixNano: string
  endTimeUnixNano: string
}

function spansIn({ resourceSpans }: Exported): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name'])
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => collected(span, service)))
  })
}

function collected(span: ExportedSpan, service: string): CollectedSpan {
  const { traceId, spanId, name, links, status } = span
  return {
    traceId,
    spanId,
    parentId: span.parentSpanId || undefined,
    name,
    service,
    attributes: valuesOf(span.attributes),
    links,
    hasFailed: status.code === 2,
    startedAt: BigInt(span.startTimeUnixNano),
    endedAt: BigInt(span.endTimeUnixNano),
  }
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.boolValue ?? '']),
  )
}
