import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { Socket } from 'node:net'

type Ending = { after(work: () => Promise<void>): void }

export type Received = {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** How many came before it, refused ones included. */
  readonly n: number
}

/** What is answered: a status, or headers and a body as well; undefined hangs up without a word. */
export type Answer = number | { status: number; headers?: Record<string, string>; body?: string } | undefined

export type Receiver = {
  readonly url: string
  /** All that was sent, in the order in which it came. */
  readonly received: readonly Received[]
  /** What was answered with a 2xx. */
  readonly taken: readonly Received[]
  /** Takes no connections, and drops those it has. */
  stop(): Promise<void>
  /** On the port it had before. */
  restart(): Promise<void>
}

/** A receiver of webhooks, of the test's own: a real HTTP server on loopback. */
export async function startReceiver(
  t: Ending,
  answer: (message: Received) => Answer | Promise<Answer> = () => 204,
): Promise<Receiver> {
  const received: Received[] = []
  const taken: Received[] = []
  const sockets = new Set<Socket>()
  let server = createReceiver()
  await listen(server, 0)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  t.after(() => stop())

  function createReceiver(): Server {
    return createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const message = { path: request.url ?? '', headers: request.headers, body, n: received.length }
      received.push(message)
      const answered = await answer(message)
      if (answered === undefined) return void request.socket.destroy()
      const { status, headers = {}, body: text = '' } = typeof answered === 'number' ? { status: answered } : answered
      if (status < 300) taken.push(message)
      response.writeHead(status, headers).end(text)
    }).on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
  }

  async function stop(): Promise<void> {
    if (!server.listening) return
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    taken,
    stop,
    async restart() {
      server = createReceiver()
      await listen(server, port)
    },
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
