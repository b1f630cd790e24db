import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Random } from '#kernel/random'
import { openTally, type Tally } from './tally.ts'

/** A server of the merchant's that is told by webhooks what happens. It fails one call in ten. */
export type Receiver = {
  readonly url: string
  readonly tally: Tally
  /** What the endpoint was made with: signatures are checked from now on. */
  trust(secret: string): void
  /** Takes messages and answers nobody any more: what it is sent now, it will be sent again. */
  stopAnswering(): void
  /** Breaks off what is under way, and refuses connections, as after a crash. */
  goDown(): Promise<void>
  /** On the same port, unless it was closed. */
  comeBack(): Promise<void>
  /** For good. Safe to repeat. */
  close(): Promise<void>
}

const FAILS_EVERY = 10
const PORT_ATTEMPTS_MAX = 20

export async function startReceiver(random: Random): Promise<Receiver> {
  const tally = openTally()
  let calls = 0
  let [isAnswering, isClosed] = [true, false]
  let key = Buffer.alloc(0)

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request)
    if (body === undefined) return
    calls += 1
    if (calls % FAILS_EVERY === 0) {
      tally.failed()
      response.writeHead(500).end()
    } else if (!isSigned(request, body, key)) {
      tally.forged()
      response.writeHead(400).end()
    } else {
      tally.accepted(Number(request.headers['millrace-sequence']), body)
      if (!isAnswering) return
      response.writeHead(204).end()
    }
  }
  const open = (): Server => createServer((request, response) => void take(request, response))

  let server = open()
  const port = await listenBelow(server, random)
  const goDown = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    tally,
    trust(secret) {
      key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    },
    stopAnswering() {
      isAnswering = false
    },
    goDown,
    async comeBack() {
      if (isClosed) return
      isAnswering = true
      server = open()
      await listen(server, port)
    },
    async close() {
      isClosed = true
      await goDown()
    },
  }
}

/** Below the ports that systems lend to outgoing connections: one of those could take the port while we are down. */
async function listenBelow(server: Server, random: Random): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = 20_000 + Math.floor(random.unit() * 12_768)
    const isOurs = await listen(server, port).then(
      () => true,
      () => false,
    )
    if (isOurs) return port
  }
  throw new Error('no port on 127.0.0.1 is free for a receiver of webhooks')
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

/** Standard Webhooks 1.0: an HMAC of id, time and body. Written here anew, as a merchant would. */
function isSigned({ headers }: IncomingMessage, body: string, key: Buffer): boolean {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const wanted = createHmac('sha256', key).update(signed).digest()
  return String(headers['webhook-signature'])
    .split(' ')
    .map((signature) => Buffer.from(signature.replace(/^v1,/, ''), 'base64'))
    .some((found) => found.length === wanted.length && timingSafeEqual(found, wanted))
}

/** Undefined where the caller, or we, broke off. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks).toString('utf8')
  } catch {
    return undefined
  }
}
