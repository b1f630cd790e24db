import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { systemClock } from '#kernel/clock'

type Ending = { after(work: () => Promise<void>): void }

export type LoadBalancer = {
  readonly url: string
  /** Everything that went wrong on the way to a backend, and every answer of 500 and more. */
  readonly failures: readonly string[]
  /** Answers passed on so far. */
  answered(): number
  add(backend: string): void
  remove(backend: string): void
  /** Requests that the backend has not answered. */
  underWay(backend: string): number
  /** Whether the backend gets requests now. */
  isUsed(backend: string): boolean
}

/** How often `/readyz` is asked. */
const PROBE_MS = 100

type Backend = { readonly url: string; readonly agent: Agent; isReady: boolean }

/**
 * Passes requests on to whichever backends say that they are ready, one after the other, over connections that it keeps. It
 * repeats nothing: what fails is an error for its client, as with any that must not guess what a POST did.
 */
export async function startLoadBalancer(t: Ending): Promise<LoadBalancer> {
  const backends = new Map<string, Backend>()
  const failures: string[] = []
  const closing = new AbortController()
  let turn = 0
  let answered = 0

  const choose = (): Backend | undefined => {
    const ready = [...backends.values()].filter(({ isReady }) => isReady)
    return ready[turn++ % ready.length]
  }
  const underWay = new Map<string, number>()
  const count = (backend: string, by: number): void => void underWay.set(backend, (underWay.get(backend) ?? 0) + by)
  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/', headers } = incoming
    const body = await bodyOf(incoming)
    const backend = choose()
    const fail = (what: string): void => {
      failures.push(`${method} ${path.replace(/[a-z]+_[0-9a-z]{20,}/g, ':id')}: ${what}`)
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    }
    if (!backend) return fail('no backend is ready')
    count(backend.url, 1)
    response.once('close', () => count(backend.url, -1))
    const outgoing = request(new URL(path, backend.url), { method, headers, agent: backend.agent }, (answer) => {
      const status = answer.statusCode ?? 0
      if (status >= 500) failures.push(`${method} ${path}: ${status}`)
      response.writeHead(status, withoutConnection(answer.headers))
      answer.on('error', (error) => fail(error.message))
      answer.pipe(response)
      answered++
    })
    outgoing.on('error', (error) => fail(error.message))
    outgoing.end(body)
  }
  const probe = async (backend: Backend): Promise<void> => {
    while (backends.get(backend.url) === backend && !closing.signal.aborted) {
      backend.isReady = await fetch(`${backend.url}/readyz`, { headers: { connection: 'close' } }).then(
        async (answer) => {
          await answer.arrayBuffer()
          return answer.ok
        },
        () => false,
      )
      await systemClock.sleep(PROBE_MS, closing.signal)
    }
  }

  const server = createServer((incoming, response) => void pass(incoming, response))
  // Longer than any client here pauses: it never closes what somebody is about to use.
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    closing.abort()
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the load balancer has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    failures,
    answered: () => answered,
    add(url) {
      const agent = new Agent({ keepAlive: true })
      closing.signal.addEventListener('abort', () => agent.destroy())
      const backend = { url, agent, isReady: false }
      backends.set(url, backend)
      void probe(backend)
    },
    remove: (url) => void backends.delete(url),
    underWay: (url) => underWay.get(url) ?? 0,
    isUsed: (url) => backends.get(url)?.isReady === true,
  }
}

/** Of one connection, not of the message. */
function withoutConnection({
  connection: _,
  'keep-alive': __,
  'transfer-encoding': ___,
  ...headers
}: IncomingMessage['headers']) {
  return headers
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
