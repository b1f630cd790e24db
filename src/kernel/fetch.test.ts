import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { systemClock } from '#kernel/clock'
import { FetchFailure, type HttpFetch, systemFetch } from '#kernel/fetch'

function openFetch(t: TestContext): HttpFetch {
  const { fetch, close } = systemFetch(systemClock)
  t.after(close)
  return fetch
}

async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    if (server.listening) await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

const serve = (t: TestContext, listener: RequestListener): Promise<string> => listen(t, createServer(listener))

const failureOf = (phase: string, reason: string) => (error: unknown) =>
  error instanceof FetchFailure && error.phase === phase && error.reason === reason

test('an exchange carries method, path, query, headers and body both ways', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    response.writeHead(202, { 'x-seen': `${request.method} ${request.url} ${request.headers['x-sent']}` })
    response.end(Buffer.concat(chunks))
  })
  const request = { method: 'POST', url: `${url}/a?b=c`, headers: { 'x-sent': 'yes' }, body: 'größer', timeoutMs: 5000 }
  const { status, headers, body } = await fetch(request)
  assert.deepEqual([status, headers['x-seen'], body], [202, 'POST /a?b=c yes', 'größer'])
})

test('a redirect is an answer, not followed', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end())
  assert.equal((await fetch({ method: 'GET', url, headers: {}, timeoutMs: 5000 })).status, 302)
})

test('an answer of any bytes is kept whole where it is asked for', async (t) => {
  const fetch = openFetch(t)
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const url = await serve(t, (_, response) => void response.end(bytes))
  const { body } = await fetch({ method: 'GET', url, headers: {}, timeoutMs: 5_000, decoding: 'latin1' })
  assert.ok(Buffer.from(body, 'latin1').equals(bytes))
})

test('a refused connection failed before anything was sent', async (t) => {
  const fetch = openFetch(t)
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const request = { method: 'POST', url: `http://127.0.0.1:${port}/`, headers: {}, body: '{}', timeoutMs: 5000 }
  await assert.rejects(fetch(request), failureOf('connect', 'connection'))
})

test('an address that is none fails before anything was sent', async (t) => {
  const fetch = openFetch(t)
  const request = { method: 'GET', url: 'not an address', headers: {}, timeoutMs: 5000 }
  await assert.rejects(fetch(request), failureOf('connect', 'connection'))
})

test('a server that takes the request and hangs is a timeout after sending', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, () => {})
  const request = { method: 'POST', url, headers: {}, body: '{}', timeoutMs: 50 }
  await assert.rejects(fetch(request), failureOf('after_send', 'timeout'))
})

test('an answer that stops in the middle is a timeout after sending', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, (_, response) => response.writeHead(200, { 'content-length': '10' }).write('half'))
  await assert.rejects(fetch({ method: 'GET', url, headers: {}, timeoutMs: 50 }), failureOf('after_send', 'timeout'))
})

test('a server that takes the request and hangs up is a broken connection after sending', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, (request) => request.socket.destroy())
  const request = { method: 'POST', url, headers: {}, body: '{}', timeoutMs: 5000 }
  await assert.rejects(fetch(request), failureOf('after_send', 'connection'))
})

test('an answer past the limit is given up', async (t) => {
  const fetch = openFetch(t)
  const url = await serve(t, (_, response) => response.end(Buffer.alloc(5 * 1024 * 1024)))
  const request = { method: 'GET', url, headers: {}, timeoutMs: 5000 }
  await assert.rejects(fetch(request), failureOf('after_send', 'too_large'))
})

test('a request that waited for a connection until its time was over is never sent', async (t) => {
  const fetch = openFetch(t)
  const seen: string[] = []
  const url = await serve(t, (request) => void seen.push(request.url ?? ''))
  const hanging = Array.from({ length: 64 }, () => fetch({ method: 'GET', url, headers: {}, timeoutMs: 400 }))
  const ended = Promise.allSettled(hanging)
  const late = fetch({ method: 'POST', url: `${url}/late`, headers: {}, body: '{}', timeoutMs: 100 })
  await assert.rejects(late, failureOf('connect', 'timeout'))
  await ended
  await fetch({ method: 'GET', url, headers: {}, timeoutMs: 50 }).catch(() => {})
  assert.ok(!seen.includes('/late'))
})
