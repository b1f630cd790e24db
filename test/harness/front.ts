import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** Stands before the gateway: what it does with each call is `act`'s to say. Closes what is not answered. */
export async function startFront(
  t: { after(work: () => Promise<void>): void },
  target: string,
  act: (call: () => Promise<() => void>) => Promise<void>,
): Promise<string> {
  const server = createServer((request, response) => void serve(request, response))
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    await act(async () => {
      const { method = 'GET', url = '/', headers } = request
      const sent = Object.entries(headers).flatMap(([name, value]) =>
        typeof value === 'string' && !['host', 'connection', 'content-length'].includes(name) ? [[name, value]] : [],
      )
      const answer = await fetch(new URL(url, target), {
        method,
        headers: Object.fromEntries(sent),
        ...(method === 'POST' ? { body } : {}),
      })
      const told = await answer.text()
      return () => void response.writeHead(answer.status, { 'content-type': 'application/json' }).end(told)
    })
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the front has no port')
  return `http://127.0.0.1:${address.port}`
}

async function text(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}
